import { describe, expect, it } from "vitest";
import { ANY_JSON_TYPE, bodyError, JSON_TYPE, readJson, readText } from "../../../src/platform/body.ts";

const LIMIT = 10;

function request(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  const init = { method: "POST", body, headers, duplex: "half" };
  return new Request("https://gateway.example.com/", init);
}

/** A body of pieces that says whether it was read to its end or cancelled. */
function pieces(...sizes: number[]) {
  const state = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const size = sizes[state.pulled];
        state.pulled += 1;
        if (size === undefined) controller.close();
        else controller.enqueue(new Uint8Array(size).fill(state.pulled));
      },
      cancel: () => {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, state };
}

const TOO_LARGE = { refusal: { kind: "too_large", limitBytes: LIMIT } };

describe("the body of a request", () => {
  it("is put together from its pieces in their order", async () => {
    const { body } = pieces(3, 0, 2, 5);
    const read = await readText(request(body), LIMIT);
    expect(read).toEqual({ text: String.fromCharCode(1, 1, 1, 3, 3, 4, 4, 4, 4, 4) });
  });

  it("may be empty or absent", async () => {
    expect(await readText(request(""), LIMIT)).toEqual({ text: "" });
    expect(await readText(new Request("https://gateway.example.com/"), LIMIT)).toEqual({ text: "" });
  });

  it("may have as many bytes as the limit says, counted as bytes", async () => {
    expect(await readText(request("é".repeat(5)), LIMIT)).toEqual({ text: "ééééé" });
    expect(await readText(request("é".repeat(6)), LIMIT)).toEqual(TOO_LARGE);
    expect(await readText(new Response("x".repeat(11)), LIMIT)).toEqual(TOO_LARGE);
  });

  it("may be no text as far as a form is concerned", async () => {
    expect(await readText(request(new Uint8Array([0x61, 0xff, 0x62])), LIMIT)).toEqual({ text: "a\ufffdb" });
  });

  it("is not read at all when it says that it is larger", async () => {
    const { body, state } = pieces(1);
    expect(await readText(request(body, { "content-length": "11" }), LIMIT)).toEqual(TOO_LARGE);
    expect(state.pulled).toBe(0);
  });

  it.each(["0", "10", "-1", "none"])(
    "is cut off where it exceeds the limit, whatever length it claims: %s",
    async (claim) => {
      const { body, state } = pieces(6, 6, 6, 6);
      expect(await readText(request(body, { "content-length": claim }), LIMIT)).toEqual(TOO_LARGE);
      expect(state).toEqual({ pulled: 2, cancelled: true });
    },
  );
});

describe("JSON in a body", () => {
  const MALFORMED = { refusal: { kind: "malformed_json" } };
  const read = (body: BodyInit | null, rules: { byteOrderMark?: "refused" } = {}) =>
    readJson(request(body), { limitBytes: LIMIT, ...rules });

  it.each(["null", "0", '"é"', "[1,2]", '{"a":1}', " 7\n"])("is read with its text: %j", async (text) => {
    expect(await read(text)).toEqual({ value: JSON.parse(text), text });
  });

  it.each<[string, BodyInit | null]>([
    ["nothing", null],
    ["half of it", '{"a":'],
    ["undefined", "undefined"],
    ["text that is not UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
    ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00])],
  ])("is refused when it is %s", async (_what, body) => {
    expect(await read(body)).toEqual(MALFORMED);
  });

  it("may begin with a byte order mark, unless that is refused", async () => {
    expect(await read("\ufeff[]")).toEqual({ value: [], text: "[]" });
    expect(await read("\ufeff[]", { byteOrderMark: "refused" })).toEqual(MALFORMED);
    expect(await read("\ufeff\ufeff[]")).toEqual(MALFORMED);
  });

  it("is refused for its type before its size, and for its size before its text", async () => {
    const large = "x".repeat(11);
    const rules = { limitBytes: LIMIT, mediaType: JSON_TYPE };
    const ofType = (type: string) => readJson(request(large, { "content-type": type }), rules);
    expect(await ofType("text/plain")).toEqual({ refusal: { kind: "unsupported_media_type" } });
    expect(await ofType("application/json")).toEqual(TOO_LARGE);
  });

  it.each([
    ["application/json", true, true],
    ["Application/JSON; charset=utf-8", true, true],
    ["application/json ;x=y", true, true],
    ["application/problem+json", false, true],
    ["application/jsonp", false, false],
    ["application/json-seq", false, false],
    ["text/json", false, false],
    ["text/plain; application/json", false, false],
    ["", false, false],
  ])("has the type %j: %s, with a suffix: %s", (type, plain, suffix) => {
    expect([JSON_TYPE.test(type), ANY_JSON_TYPE.test(type)]).toEqual([plain, suffix]);
  });

  it.each([
    [{ kind: "too_large", limitBytes: LIMIT } as const, "too_large"],
    [{ kind: "unsupported_media_type" } as const, "unsupported_media_type"],
    [{ kind: "malformed_json" } as const, "invalid_request"],
  ])("that is refused is an error of an API: %j", (refusal, code) => {
    expect(bodyError(refusal)).toMatchObject({ code });
  });
});
