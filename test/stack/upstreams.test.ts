import {
  Client,
  StreamableHTTPClientTransport,
  type CallToolResult,
  type ClientOptions,
} from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { everythingFactory } from "../../dev/upstreams/everything.ts";
import { startUpstream, type RunningUpstream } from "../../dev/upstreams/serve.ts";

const info = { name: "test", version: "1.0.0" };

let upstream: RunningUpstream;
beforeAll(async () => {
  upstream = await startUpstream({ name: "everything", factory: everythingFactory() });
});
afterAll(() => upstream.stop());

/** The calls that both client generations make in the same way. */
interface Caller extends Pick<V1Client, "listTools" | "readResource" | "getPrompt" | "complete"> {
  call: (
    name: string,
    args?: Record<string, unknown>,
    onprogress?: (report: Report) => void,
  ) => Promise<CallToolResult>;
}
interface Report {
  progress: number;
  total?: number | undefined;
}

async function withV2(options: ClientOptions, headers: Record<string, string> = {}): Promise<Caller> {
  const client = new Client(info, options);
  await client.connect(new StreamableHTTPClientTransport(new URL(upstream.url), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  return Object.assign(client, {
    call: (name: string, args = {}, onprogress = (_report: Report) => {}) =>
      client.callTool({ name, arguments: args }, { onprogress }),
  }) as unknown as Caller;
}

async function withV1(headers: Record<string, string> = {}): Promise<Caller> {
  const client = new V1Client(info);
  await client.connect(new V1Transport(new URL(upstream.url), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  return Object.assign(client, {
    call: async (name: string, args = {}, onprogress = (_report: Report) => {}) =>
      (await client.callTool({ name, arguments: args }, undefined, { onprogress })) as CallToolResult,
  });
}

describe.each([
  {
    who: "a v2 client of 2026-07-28",
    connect: (headers?: Record<string, string>) =>
      withV2({ versionNegotiation: { mode: { pin: "2026-07-28" } } }, headers),
  },
  { who: "a v2 client of 2025", connect: (headers?: Record<string, string>) => withV2({}, headers) },
  { who: "a v1 client", connect: (headers?: Record<string, string>) => withV1(headers) },
])("The everything upstream, called by $who", ({ connect }) => {
  it("lists every tool with a description, in the same order each time", async () => {
    const first = await (await connect()).listTools();
    const second = await (await connect()).listTools();
    expect(first.tools.map((tool) => tool.name)).toEqual(second.tools.map((tool) => tool.name));
    expect(first.tools.map((tool) => tool.name)).toEqual(
      expect.arrayContaining(["add", "echo", "echo_headers", "fail", "slow", "test_simple_text"]),
    );
    expect(first.tools.filter((tool) => !tool.description)).toEqual([]);
  });

  it.each([
    ["test_simple_text", ["text"]],
    ["test_image_content", ["image"]],
    ["test_audio_content", ["audio"]],
    ["test_embedded_resource", ["resource"]],
    ["test_resource_link", ["resource_link"]],
    ["test_multiple_content_types", ["text", "image", "resource"]],
  ])("gets from %s content of the types %j", async (tool, types) => {
    const { content } = await (await connect()).call(tool);
    expect(content.map((block) => block.type)).toEqual(types);
  });

  it("gets images and sounds that decode to what their type says", async () => {
    const caller = await connect();
    const [image] = (await caller.call("test_image_content")).content;
    const [sound] = (await caller.call("test_audio_content")).content;
    if (image?.type !== "image" || sound?.type !== "audio") throw new Error("Expected an image and a sound.");
    expect(Buffer.from(image.data, "base64").subarray(0, 8)).toEqual(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
    expect(Buffer.from(sound.data, "base64").toString("latin1", 0, 12)).toMatch(/^RIFF.{4}WAVE$/s);
  });

  it("gets a structured sum that the client validates against the listed output schema", async () => {
    const caller = await connect();
    const { tools } = await caller.listTools();
    expect(tools.find((tool) => tool.name === "add")?.outputSchema).toMatchObject({ required: ["sum"] });
    const result = await caller.call("add", { a: 2, b: 0.5 });
    expect(result.structuredContent).toEqual({ sum: 2.5 });
    expect(result.content).toEqual([{ type: "text", text: "2 + 0.5 = 2.5" }]);
  });

  it("gets a tool error for arguments that do not fit the input schema", async () => {
    const result = await (await connect()).call("add", { a: "two", b: 1 });
    expect(result.isError).toBe(true);
    expect(result.content).toEqual([{ type: "text", text: expect.stringContaining("add") as string }]);
  });

  it("gets a tool error with the message that fail was given", async () => {
    const result = await (await connect()).call("fail", { message: "No luck." });
    expect(result).toMatchObject({ isError: true, content: [{ type: "text", text: "No luck." }] });
  });

  it("gets its text back unchanged from echo", async () => {
    const text = 'Grüße, 世界 🌍\n"quoted" \u0000';
    const result = await (await connect()).call("echo", { text });
    expect(result.content).toEqual([{ type: "text", text }]);
  });

  it("gets progress before the result", async () => {
    const reports: Report[] = [];
    const result = await (await connect()).call("test_tool_with_progress", {}, (report) => reports.push(report));
    expect(reports).toMatchObject([0, 50, 100].map((progress) => ({ progress, total: 100 })));
    expect(result.isError).toBeUndefined();
  });

  it("sees in echo_headers which credentials arrived, but not their values", async () => {
    const withCredentials = await connect({ authorization: "Bearer secret-1", "x-api-key": "secret-2" });
    const seen = await withCredentials.call("echo_headers");
    expect(seen.structuredContent).toMatchObject({ authorization: true, xApiKey: true });
    const { headerNames } = seen.structuredContent as { headerNames: string[] };
    expect(headerNames).toEqual(expect.arrayContaining(["authorization", "x-api-key"]));
    expect(JSON.stringify(seen)).not.toContain("secret");

    const withoutCredentials = await (await connect()).call("echo_headers");
    expect(withoutCredentials.structuredContent).toMatchObject({ authorization: false, xApiKey: false });
    const [block] = withoutCredentials.content;
    expect(block?.type === "text" && JSON.parse(block.text)).toEqual(withoutCredentials.structuredContent);
  });

  it("waits with slow, whose outcome can be asked for", async () => {
    const caller = await connect();
    const label = crypto.randomUUID();
    const result = await caller.call("slow", { milliseconds: 1, label });
    expect(result.content).toEqual([{ type: "text", text: "Waited 1 ms." }]);
    expect((await caller.call("slow_outcome", { label })).structuredContent).toEqual({ outcome: "completed" });
    expect(await caller.call("slow", { milliseconds: 60_001 })).toMatchObject({ isError: true });
    expect(await caller.call("slow_outcome", { label: "unheard of" })).toMatchObject({ isError: true });
  });

  it("accepts a contact that fits the 2020-12 schema and refuses one that does not", async () => {
    const caller = await connect();
    const contact = { contactMethod: "email", email: "ada@example.com", address: { city: "London" } };
    const accepted = await caller.call("json_schema_2020_12_tool", contact);
    expect(accepted.content).toEqual([{ type: "text", text: JSON.stringify(contact) }]);
    const refused = await caller.call("json_schema_2020_12_tool", { contactMethod: "phone", email: "ada@example.com" });
    expect(refused.isError).toBe(true);
  });

  it("reads a text, a binary and a templated resource, and is told of unknown ones", async () => {
    const caller = await connect();
    expect(await caller.readResource({ uri: "test://static-text" })).toMatchObject({
      contents: [{ mimeType: "text/plain", text: "This is the content of the static text resource." }],
    });
    expect(await caller.readResource({ uri: "test://static-binary" })).toMatchObject({
      contents: [{ mimeType: "image/png", blob: expect.stringMatching(/^iVBOR/) as string }],
    });
    expect(await caller.readResource({ uri: "test://template/42/data" })).toMatchObject({
      contents: [{ text: JSON.stringify({ id: "42", templateTest: true, data: "Data for ID: 42" }) }],
    });
    await expect(caller.readResource({ uri: "test://nowhere" })).rejects.toMatchObject({ code: -32602 });
  });

  it("gets prompts with text, arguments, a resource and an image", async () => {
    const caller = await connect();
    const contents = async (name: string, args: Record<string, string> = {}) =>
      (await caller.getPrompt({ name, arguments: args })).messages.map((message) => message.content);
    expect(await contents("test_simple_prompt")).toMatchObject([{ text: "This is a simple prompt for testing." }]);
    expect(await contents("test_prompt_with_arguments", { arg1: "one", arg2: "two" })).toMatchObject([
      { text: "Prompt with arguments: arg1='one', arg2='two'" },
    ]);
    expect(
      await contents("test_prompt_with_embedded_resource", { resourceUri: "test://example-resource" }),
    ).toMatchObject([{ type: "resource", resource: { uri: "test://example-resource" } }, { type: "text" }]);
    expect(await contents("test_prompt_with_image")).toMatchObject([{ type: "image" }, { type: "text" }]);
  });

  it("gets completions for a prompt argument and for a template variable", async () => {
    const caller = await connect();
    const ofPrompt = await caller.complete({
      ref: { type: "ref/prompt", name: "test_prompt_with_arguments" },
      argument: { name: "arg1", value: "par" },
    });
    expect(ofPrompt.completion.values).toEqual(["paris", "park", "party"]);
    const ofTemplate = await caller.complete({
      ref: { type: "ref/resource", uri: "test://template/{id}/data" },
      argument: { name: "id", value: "12" },
    });
    expect(ofTemplate.completion.values).toEqual(["123", "124"]);
  });
});
