import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_BODY_BYTES, readEnvelope } from "../../../src/mcp/envelope.ts";

function request(body: BodyInit | null, contentType: string | null = "application/json"): Request {
  const headers = new Headers(contentType === null ? {} : { "content-type": contentType });
  const sent = new Request("https://gateway.example.com/mcp", { method: "POST", body, headers });
  if (contentType === null) sent.headers.delete("content-type");
  return sent;
}

const read = (body: BodyInit | null, contentType?: string | null) => readEnvelope(request(body, contentType));
const readJson = (message: unknown) => read(JSON.stringify(message));

const PING = { jsonrpc: "2.0", id: 1, method: "ping" };

describe("a JSON-RPC message", () => {
  it("is read with its method and id, and kept as it came", async () => {
    const message = { ...PING, params: { _meta: { progressToken: 7 } }, more: true };
    expect(await readJson(message)).toEqual({ message, method: "ping", id: 1, target: null });
  });

  it.each([0, -1, 1.5, "", "a", "1"])("may have the id %j", async (id) => {
    expect(await readJson({ ...PING, id })).toMatchObject({ id });
  });

  it("without an id is a notification", async () => {
    const message = { jsonrpc: "2.0", method: "notifications/initialized" };
    expect(await readJson(message)).toEqual({ message, method: "notifications/initialized", id: null, target: null });
  });

  it.each([
    ["tools/call", { name: "echo", uri: "file:///x" }, "echo"],
    ["prompts/get", { name: "greet" }, "greet"],
    ["resources/read", { uri: "notes://1", name: "echo" }, "notes://1"],
    ["resources/read", { name: "echo" }, null],
    ["tools/call", {}, null],
    ["tools/call", undefined, null],
    ["tools/call", { name: 7 }, null],
    ["tools/call", { name: ["echo"] }, null],
    ["tools/call", { name: null }, null],
    ["tools/list", {}, null],
  ])("K12: %s with %j is about %j, which is read from the body", async (method, params, target) => {
    expect(await readJson({ ...PING, method, params })).toMatchObject({ target });
  });
});

describe("K09: anything but one request or notification", () => {
  const NOT_SINGLE = { refusal: { kind: "not_a_single_message" } };

  it.each<[string, unknown]>([
    ["an empty batch", []],
    ["a batch of one", [PING]],
    ["a batch of 10,000", Array.from({ length: 10_000 }, () => PING)],
    ["null", null],
    ["a number", 7],
    ["text", "ping"],
    ["true", true],
    ["an empty object", {}],
    ["a result", { jsonrpc: "2.0", id: 1, result: {} }],
    ["an error", { jsonrpc: "2.0", id: 1, error: { code: 1, message: "x" } }],
    ["no version", { id: 1, method: "ping" }],
    ["version 1.0", { ...PING, jsonrpc: "1.0" }],
    ["version 2 as a number", { ...PING, jsonrpc: 2 }],
    ["no method", { jsonrpc: "2.0", id: 1 }],
    ["an empty method", { ...PING, method: "" }],
    ["a method that is no text", { ...PING, method: ["ping"] }],
    ["an id of null", { ...PING, id: null }],
    ["an id that is an object", { ...PING, id: {} }],
    ["an id that is true", { ...PING, id: true }],
    ["parameters in a list", { ...PING, params: ["echo"] }],
    ["parameters as text", { ...PING, params: "name=echo" }],
  ])("K09: is refused: %s", async (_what, message) => {
    expect(await readJson(message)).toEqual(NOT_SINGLE);
  });

  it("with parameters of null has none, as some clients write it", async () => {
    expect(await readJson({ ...PING, params: null })).toEqual(await readJson({ ...PING, params: {} }));
  });

  it("K09: is refused, and no exception, whatever JSON it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (text) => {
        expect(await read(text)).toEqual(NOT_SINGLE);
      }),
      { seed: 9, numRuns: 200 },
    );
  });
});

describe("K08: text that is not JSON in UTF-8", () => {
  const valid = JSON.stringify(PING);
  const bytes = (...values: number[]) => new Uint8Array(values);

  it.each<[string, BodyInit | null]>([
    ["nothing", null],
    ["the empty text", ""],
    ["white space", " \n"],
    ["half a message", valid.slice(0, -1)],
    ["a message and more", `${valid}x`],
    ["two messages", `${valid}\n${valid}`],
    ["single quotes", "{'jsonrpc':'2.0'}"],
    ["a trailing comma", '{"jsonrpc":"2.0",}'],
    ["a comment", `${valid}//`],
    ["NaN", '{"jsonrpc":"2.0","id":NaN,"method":"ping"}'],
    ["a byte order mark", `\ufeff${valid}`],
    ["UTF-16", bytes(0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00)],
    ["a byte that UTF-8 does not have", bytes(0x22, 0xff, 0x22)],
    ["an overlong form", bytes(0x22, 0xc0, 0xaf, 0x22)],
    ["half a character", bytes(0x22, 0xed, 0xa0, 0x80, 0x22)],
    ["a form", "jsonrpc=2.0&method=ping"],
  ])("K08: is refused: %s", async (_what, body) => {
    expect(await read(body)).toEqual({ refusal: { kind: "malformed_json" } });
  });

  it("K08: does not include keys that stand twice: the last one is decided on, and is what is served", async () => {
    const text = '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"a","name":"b"}}';
    expect(await read(text)).toEqual({
      message: { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "b" } },
      method: "tools/call",
      id: 1,
      target: "b",
    });
  });

  it("K08: does not include text in other scripts", async () => {
    expect(await readJson({ ...PING, params: { name: "Größe 漢字 👋" } })).toMatchObject({ target: "Größe 漢字 👋" });
  });
});

describe("K18: a message that is meant to hurt", () => {
  it("K18: gives no object a new prototype", async () => {
    const envelope = await read(
      '{"jsonrpc":"2.0","id":1,"method":"ping","__proto__":{"admin":true},"params":{"__proto__":{"name":"x"}}}',
    );
    expect(envelope).toMatchObject({ method: "ping", target: null });
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect((envelope as unknown as { admin?: boolean }).admin).toBeUndefined();
  });

  it("K18: may be nested deeply, or have a number too large to be one", async () => {
    const deep = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`;
    expect(await read(deep)).toMatchObject({ method: "ping" });
    expect(await read('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":1e400}}')).toMatchObject({
      method: "ping",
    });
  });

  it("K18: is refused when it has more than a mebibyte", async () => {
    const frame = JSON.stringify({ ...PING, pad: "" }).length;
    const ofSize = (size: number) => readJson({ ...PING, pad: "x".repeat(size - frame) });
    expect(MAX_BODY_BYTES).toBe(1_048_576);
    expect(await ofSize(MAX_BODY_BYTES)).toMatchObject({ method: "ping" });
    expect(await ofSize(MAX_BODY_BYTES + 1)).toEqual({ refusal: { kind: "too_large", limitBytes: MAX_BODY_BYTES } });
  });
});

describe("K07: a body of another type", () => {
  it.each([
    "text/plain",
    "multipart/form-data",
    "application/x-www-form-urlencoded",
    "text/json",
    "application/jsonp",
    "application/json-seq",
    "application/problem+json",
    "text/plain; application/json",
    "",
  ])("K07: is refused before it is read: %j", async (type) => {
    const body = new ReadableStream(
      {
        pull: () => {
          throw new Error("it was read");
        },
      },
      { highWaterMark: 0 },
    );
    const init = { method: "POST", body, headers: { "content-type": type }, duplex: "half" };
    const answer = await readEnvelope(new Request("https://gateway.example.com/mcp", init));
    expect(answer).toEqual({ refusal: { kind: "unsupported_media_type" } });
  });

  it("K07: is refused when it says no type", async () => {
    expect(await read(JSON.stringify(PING), null)).toEqual({ refusal: { kind: "unsupported_media_type" } });
  });

  it.each(["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x=y"])(
    "K07: is not what %j is",
    async (type) => {
      expect(await read(JSON.stringify(PING), type)).toMatchObject({ method: "ping" });
    },
  );
});
