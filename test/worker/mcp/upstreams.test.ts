import { describe, expect, it } from "vitest";
import { personalTenantId } from "../../../src/identity/standing.ts";
import { addUpstream, callTool, newKey, request, rpc, upstreams } from "../../support/gateway.ts";

/** A key of a new tenant that has these upstreams. */
async function keyWith(servers: Record<string, string>): Promise<{ key: string; userId: string; tenantId: string }> {
  const { key, userId } = await newKey();
  const tenantId = personalTenantId(userId);
  for (const [slug, url] of Object.entries(servers)) await addUpstream(tenantId, slug, url);
  return { key, userId, tenantId };
}

describe("upstream servers", () => {
  it("are called by prefixed names on /mcp and by their own on /mcp/{slug}", async () => {
    const { key } = await keyWith({ every: upstreams.everything });
    const prefixed = await callTool("every__add", { a: 1, b: 2 }, { key });
    expect(prefixed.result?.structuredContent).toEqual({ sum: 3 });
    const own = await callTool("add", { a: 1, b: 2 }, { key, path: "/mcp/every" });
    expect(own.result?.structuredContent).toEqual({ sum: 3 });
    const unprefixed = await callTool("add", { a: 1, b: 2 }, { key });
    expect(unprefixed.error).toMatchObject({ code: -32602, data: { code: "unknown_tool" } });
  });

  it("appear in one sorted list with the built-in tools", async () => {
    const { key } = await keyWith({ every: upstreams.everything, notes: upstreams.notes });
    const { result } = await rpc("tools/list", {}, { key });
    const names = result?.tools?.map(({ name }) => name) ?? [];
    expect(names).toEqual(expect.arrayContaining(["echo", "whoami", "every__add", "notes__notes_create"]));
    expect(names).toEqual(names.toSorted());
  });

  it("never see the caller's credential, only an opaque user id", async () => {
    const { key } = await keyWith({ every: upstreams.everything });
    for (const headers of [{ "x-api-key": key }, { authorization: `Bearer ${key}` }]) {
      const { result } = await callTool(
        "every__echo_headers",
        {},
        { headers: { ...headers, cookie: "a=b", "x-secret": "s" } },
      );
      const seen = result?.structuredContent as { headerNames: string[]; authorization: boolean; xApiKey: boolean };
      expect(seen).toMatchObject({ authorization: false, xApiKey: false });
      expect(seen.headerNames).toContain("x-mrg-user");
      for (const name of ["cookie", "x-secret", "cf-connecting-ip"]) expect(seen.headerNames).not.toContain(name);
    }
  });

  it("K20: keep what belongs to one user apart from what belongs to another", async () => {
    const first = await keyWith({ notes: upstreams.notes });
    const second = await keyWith({ notes: upstreams.notes });
    const made = await callTool("notes__notes_create", { title: "mine", text: "x" }, { key: first.key });
    expect(made.result?.isError).toBeFalsy();
    const listed = await callTool("notes__notes_list", {}, { key: second.key });
    expect(JSON.stringify(listed.result)).not.toContain("mine");
  });

  it("L14: of another tenant, disabled ones and unknown ones give one answer", async () => {
    const owner = await keyWith({ theirs: upstreams.everything });
    const stranger = await keyWith({});
    await addUpstream(stranger.tenantId, "off", upstreams.everything, false);
    expect((await callTool("theirs__add", { a: 1, b: 2 }, { key: owner.key })).result?.structuredContent).toEqual({
      sum: 3,
    });
    const answers = await Promise.all(
      ["theirs__add", "off__add", "nobodys__add"].map((name) => callTool(name, { a: 1, b: 2 }, { key: stranger.key })),
    );
    for (const { error, status } of answers) {
      expect(status).toBe(200);
      expect(error).toMatchObject({ code: -32602, data: { code: "unknown_tool" } });
    }
  });

  it("that are down answer with an error that names them, and hide no other", async () => {
    const { key } = await keyWith({ down: upstreams.down, every: upstreams.everything });
    const call = await callTool("down__add", { a: 1, b: 2 }, { key });
    expect(call.error).toMatchObject({ code: -32603, data: { code: "upstream_unavailable", server: "down" } });
    expect(JSON.stringify(call.error)).not.toContain("127.0.0.1");
    const own = await rpc("tools/list", {}, { key, path: "/mcp/down" });
    expect(own.error).toMatchObject({ code: -32603, data: { code: "upstream_unavailable", server: "down" } });
    const { result } = await rpc("tools/list", {}, { key });
    expect(result?.tools?.map(({ name }) => name)).toContain("every__add");
    expect(result?.["_meta"]).toMatchObject({ "mcp-registry-gateway/unavailable": ["down"] });
  });

  it("E02: at addresses that are not public are never asked", async () => {
    const { key } = await keyWith({ inside: upstreams.private });
    const call = await callTool("inside__add", { a: 1, b: 2 }, { key });
    expect(call.error?.message).toContain("its address is not allowed");
    expect(call.error?.message).not.toContain("10.0.0.7");
  });

  it("stream their progress to a caller that asks for it", async () => {
    const { key } = await keyWith({ every: upstreams.everything });
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "every__test_tool_with_progress", arguments: {}, _meta: { progressToken: "mine" } },
    });
    const headers = {
      "x-api-key": key,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    const text = await (await request("/mcp", { method: "POST", headers, body })).text();
    const messages = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data = ""]) => JSON.parse(data) as { method?: string },
    );
    const progress = messages.filter(({ method }) => method === "notifications/progress");
    expect(progress.length).toBeGreaterThanOrEqual(2);
    expect(progress[0]).toMatchObject({ params: { progressToken: "mine" } });
    expect(messages.at(-1)).toHaveProperty("result");
  });

  it("pass on resources and prompts on their own address", async () => {
    const { key } = await keyWith({ every: upstreams.everything });
    const options = { key, path: "/mcp/every" };
    const resource = await rpc("resources/read", { uri: "test://static-text" }, options);
    expect(resource.result).toHaveProperty("contents");
    const prompt = await rpc("prompts/get", { name: "test_simple_prompt" }, options);
    expect(prompt.result).toHaveProperty("messages");
    const missing = await rpc("resources/read", { uri: "test://nothing" }, options);
    expect(missing.error?.message).toBe("The server refused the parameters, or has nothing of this name.");
  });
});
