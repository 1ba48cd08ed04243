import { Client, StreamableHTTPClientTransport, type ClientCapabilities } from "@modelcontextprotocol/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { everythingFactory } from "../../dev/upstreams/everything.ts";
import { startUpstream } from "../../dev/upstreams/serve.ts";

async function connect(capabilities: ClientCapabilities = {}): Promise<Client> {
  const upstream = await startUpstream({ name: "everything", factory: everythingFactory() });
  onTestFinished(() => upstream.stop());
  const client = new Client(
    { name: "test", version: "1.0.0" },
    { versionNegotiation: { mode: { pin: "2026-07-28" } }, capabilities },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(upstream.url)));
  onTestFinished(() => client.close());
  return client;
}

describe("The everything upstream, in what only 2026-07-28 has", () => {
  it("asks for input round by round until it has all it needs", async () => {
    const client = await connect({ elicitation: {} });
    const questions: string[] = [];
    client.setRequestHandler("elicitation/create", ({ params }) => {
      questions.push(params.message);
      return { action: "accept", content: questions.length === 1 ? { name: "Ada" } : { color: "blue" } };
    });
    const result = await client.callTool({ name: "test_input_required_result_multi_round" });
    expect(questions).toEqual(["Step 1: What is your name?", "Step 2: What is your favorite color?"]);
    expect(result.content).toEqual([{ type: "text", text: "Ada's favorite color is blue." }]);
  });

  it("asks for a prompt's context before it gives the prompt", async () => {
    const client = await connect({ elicitation: {} });
    client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { context: "a test" } }));
    const prompt = await client.getPrompt({ name: "test_input_required_result_prompt" });
    expect(prompt.messages).toMatchObject([{ content: { text: "Context: a test" } }]);
  });

  it("does not accept the state of one tool for another", async () => {
    const client = await connect({ elicitation: {} });
    const first = await client.callTool(
      { name: "test_input_required_result_tampered_state" },
      { allowInputRequired: true },
    );
    expect(first).toMatchObject({ resultType: "input_required", requestState: expect.any(String) as string });
    const { requestState } = first as unknown as { requestState: string };
    const inputResponses = { confirm: { action: "accept", content: { ok: true } } };
    const answered = (name: string) => {
      const retry = { name, requestState, inputResponses };
      return client.callTool(retry, { allowInputRequired: true });
    };
    expect(await answered("test_input_required_result_request_state")).toMatchObject({ resultType: "input_required" });
    expect(await answered("test_input_required_result_tampered_state")).toMatchObject({
      content: [{ text: "state-ok, confirmed: true" }],
    });
  });

  it("refuses a tool that needs a capability the client does not declare", async () => {
    const client = await connect();
    await expect(client.callTool({ name: "test_missing_capability" })).rejects.toMatchObject({
      code: -32021,
      data: { requiredCapabilities: { sampling: {} } },
    });
  });

  it("receives the region both as an argument and as a header", async () => {
    const client = await connect();
    await client.listTools();
    const result = await client.callTool({ name: "test_x_mcp_header", arguments: { region: "eu-west" } });
    expect(result.structuredContent).toEqual({ region: "eu-west", header: "eu-west" });
  });

  it("adds and removes a tool and a prompt and tells those who listen", async () => {
    const client = await connect();
    const told = { tools: Promise.withResolvers<void>(), prompts: Promise.withResolvers<void>() };
    client.setNotificationHandler("notifications/tools/list_changed", () => told.tools.resolve());
    client.setNotificationHandler("notifications/prompts/list_changed", () => told.prompts.resolve());
    await client.listen({ toolsListChanged: true, promptsListChanged: true });
    const offered = async () => {
      const { tools } = await client.listTools(undefined, { cacheMode: "refresh" });
      const { prompts } = await client.listPrompts(undefined, { cacheMode: "refresh" });
      return [...tools, ...prompts].map(({ name }) => name).filter((name) => name.startsWith("extra_"));
    };

    expect(await offered()).toEqual([]);
    await client.callTool({ name: "test_trigger_tool_change" });
    await client.callTool({ name: "test_trigger_prompt_change" });
    await Promise.all([told.tools.promise, told.prompts.promise]);
    expect(await offered()).toEqual(["extra_tool", "extra_prompt"]);
    expect((await client.callTool({ name: "extra_tool" })).isError).toBeUndefined();

    await client.callTool({ name: "test_trigger_tool_change" });
    await client.callTool({ name: "test_trigger_prompt_change" });
    expect(await offered()).toEqual([]);
  });

  it("tells who subscribed that a resource has changed", async () => {
    const client = await connect();
    const uri = "test://watched-resource";
    const told = Promise.withResolvers<string>();
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => told.resolve(params.uri));
    await client.listen({ resourceSubscriptions: [uri] });
    expect(await client.readResource({ uri })).toMatchObject({ contents: [{ text: "Revision 0" }] });
    await client.callTool({ name: "touch_watched_resource" });
    expect(await told.promise).toBe(uri);
    expect(await client.readResource({ uri })).toMatchObject({ contents: [{ text: "Revision 1" }] });
  });

  it("stops a slow call when the client cancels it", async () => {
    const client = await connect();
    const started = Promise.withResolvers<void>();
    const cancel = new AbortController();
    const call = client.callTool(
      { name: "slow", arguments: { milliseconds: 60_000, label: "to be cancelled" } },
      { signal: cancel.signal, onprogress: () => started.resolve() },
    );
    await started.promise;
    cancel.abort(new Error("no longer wanted"));
    await expect(call).rejects.toThrow("no longer wanted");
    const outcome = await client.callTool({ name: "slow_outcome", arguments: { label: "to be cancelled" } });
    expect(outcome.structuredContent).toEqual({ outcome: "cancelled" });
  });
});
