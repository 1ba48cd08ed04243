import { describe, expect, it } from "vitest";
import { changePolicy, countsOf, keyWith, publish } from "../../support/admission.ts";
import {
  addUpstream,
  callTool,
  newKey,
  resetStats,
  rpc,
  stats,
  upstreams,
  type RpcAnswer,
} from "../../support/gateway.ts";

const echo = (key: string, from?: string) =>
  callTool("echo", { text: "x" }, { key, ...(from === undefined ? {} : { headers: { "cf-connecting-ip": from } }) });

/** Everything of an error but what differs from request to request. */
function shown({ status, error, response }: RpcAnswer) {
  const { requestId, ...data } = error?.data ?? {};
  expect(requestId).toBe(response.headers.get("x-request-id"));
  return { status, code: error?.code, message: error?.message, data };
}

describe("the list of addresses of a key", () => {
  const cases: [list: string[], from: string, admitted: boolean][] = [
    [["192.0.2.1"], "192.0.2.1", true],
    [["192.0.2.1"], "192.0.2.2", false],
    [["192.0.2.0/24"], "192.0.2.255", true],
    [["192.0.2.0/24"], "192.0.3.0", false],
    [["192.0.2.1"], "::ffff:192.0.2.1", true],
    [["192.0.2.1"], "::ffff:c000:201", true],
    [["192.0.2.1"], "::ffff:c000:202", false],
    [["::ffff:192.0.2.0/120"], "192.0.2.77", true],
    [["::ffff:192.0.2.0/120"], "192.0.3.77", false],
    [["2001:db8:1:2::/64"], "2001:db8:1:2:ffff:ffff:ffff:ffff", true],
    [["2001:db8:1:2::/64"], "2001:DB8:0001:0002::1", true],
    [["2001:db8:1:2::/64"], "2001:db8:1:3::1", false],
    [["2001:db8:1:2::7"], "2001:db8:1:2::7", true],
    [["2001:db8:1:2::7"], "2001:db8:1:2::8", false],
    [["2001:db8:1:2::7/128"], "2001:db8:1:2::8", false],
    [["0.0.0.0/0"], "198.51.100.7", true],
    [["0.0.0.0/0"], "2001:db8::1", false],
    [["::/0"], "198.51.100.7", true],
    [["192.0.2.1", "198.51.100.0/24"], "198.51.100.9", true],
    [["192.0.2.1"], "not an address", false],
    [["10.0.0.0/8x"], "10.0.0.1", false],
    [["10.0.0.0/33"], "10.0.0.0", false],
    [["10.0.0.1/8"], "10.0.0.1", false],
    [[], "192.0.2.1", false],
  ];

  it.each(cases)("R15: J14: of %j admits %s: %s", async (addresses, from, admitted) => {
    const { key } = await keyWith({ addresses });
    const answer = await echo(key, from);
    expect(answer.status).toBe(admitted ? 200 : 403);
    if (!admitted) expect(answer.error).toMatchObject({ code: 403, data: { code: "address_not_allowed" } });
  });

  it("R15: refuses by one Redis request that takes nothing from limits and quota, whatever is asked for", async () => {
    const subject = await keyWith({ addresses: ["192.0.2.1"], quotaMax: 5, quotaPeriod: "total" });
    expect((await echo(subject.key, "192.0.2.1")).status).toBe(200);
    const before = await countsOf(subject);
    expect(before.every((count) => count !== null)).toBe(true);
    await resetStats();
    for (const method of ["tools/call", "tools/list", "ping", "initialize", "no/such"]) {
      const answer = await rpc(method, { name: "echo", arguments: { text: "x" } }, { key: subject.key });
      expect(answer.error).toMatchObject({ code: 403, data: { code: "address_not_allowed" } });
      expect(answer.response.headers.get("ratelimit")).toBeNull();
    }
    expect((await stats()).redisRequests).toBe(5);
    expect(await countsOf(subject)).toEqual(before);
  });

  it("R15: says the same of an expired key from everywhere: who is outside learns nothing of the key", async () => {
    const expired = await newKey({ expiresAt: new Date(Date.now() - 1_000) });
    await changePolicy(expired.id, { addresses: ["192.0.2.1"] });
    await publish();
    expect((await echo(expired.key, "192.0.2.2")).status).toBe(401);
    expect((await echo(expired.key, "192.0.2.1")).status).toBe(401);
  });
});

describe("the list of servers of a key", () => {
  async function subject(servers: string[] | null) {
    const made = await keyWith({ servers });
    await addUpstream(made.tenantId, "every", upstreams.everything);
    await addUpstream(made.tenantId, "notes", upstreams.notes);
    return made;
  }

  it("keeps what it names usable on both addresses, and the built-in tools", async () => {
    const { key } = await subject(["every"]);
    expect((await callTool("every__add", { a: 1, b: 2 }, { key })).result?.structuredContent).toEqual({ sum: 3 });
    const own = await callTool("add", { a: 1, b: 2 }, { key, path: "/mcp/every" });
    expect(own.result?.structuredContent).toEqual({ sum: 3 });
    expect((await echo(key)).status).toBe(200);
  });

  it("L14: gives a server that is not on it, one that is not there and one of others the same answer", async () => {
    const other = await subject(null);
    await addUpstream(other.tenantId, "theirs", upstreams.everything);
    const { key } = await subject(["every"]);
    for (const method of ["initialize", "tools/list", "prompts/list", "resources/list"]) {
      const [listed, ...others] = await Promise.all(
        ["notes", "nobodys", "theirs"].map((slug) => rpc(method, {}, { key, path: `/mcp/${slug}` })),
      );
      if (!listed) throw new Error("no answer");
      expect(listed.status).toBe(200);
      expect(listed.error).toMatchObject({ code: -32602, data: { code: "unknown_server" } });
      for (const answer of others) expect(shown(answer)).toEqual(shown(listed));
    }
    for (const name of ["notes__notes_list", "nobodys__notes_list", "theirs__notes_list"]) {
      const { error } = await callTool(name, {}, { key });
      expect(error).toMatchObject({ code: -32602, message: `Unknown tool: ${name}`, data: { code: "unknown_tool" } });
    }
  });

  it("hides the tools of others from the list of all", async () => {
    const { key } = await subject(["every"]);
    const names = (await rpc("tools/list", {}, { key })).result?.tools?.map(({ name }) => name) ?? [];
    expect(names).toEqual(expect.arrayContaining(["echo", "every__add"]));
    expect(names.filter((name) => name.startsWith("notes__"))).toEqual([]);
  });

  it("allows no server when it is empty", async () => {
    const { key } = await subject([]);
    const names = (await rpc("tools/list", {}, { key })).result?.tools?.map(({ name }) => name) ?? [];
    expect(names.filter((name) => name.includes("__"))).toEqual([]);
    expect((await callTool("every__add", { a: 1, b: 2 }, { key })).error).toMatchObject({ code: -32602 });
  });
});

describe("the list of tools of a key", () => {
  async function subject(tools: string[]) {
    const made = await keyWith({ tools });
    await addUpstream(made.tenantId, "every", upstreams.everything);
    return made;
  }

  it("keeps what it names usable on both addresses", async () => {
    const { key } = await subject(["every__add", "echo"]);
    expect((await callTool("every__add", { a: 1, b: 2 }, { key })).result?.structuredContent).toEqual({ sum: 3 });
    const own = await callTool("add", { a: 1, b: 2 }, { key, path: "/mcp/every" });
    expect(own.result?.structuredContent).toEqual({ sum: 3 });
    expect((await echo(key)).status).toBe(200);
  });

  it("L14: gives a tool that is not on it and one that is not there the same answer, with the code of an unknown tool", async () => {
    const { key } = await subject(["every__add"]);
    for (const [path, ...names] of [
      ["/mcp", "every__echo_headers", "every__no_such_tool", "whoami", "no_such_tool", "nobodys__tool"],
      ["/mcp/every", "echo_headers", "no_such_tool"],
    ] as const) {
      for (const name of names) {
        const answer = await callTool(name, {}, { key, path });
        expect(answer.status).toBe(200);
        const unknown = { code: -32602, message: `Unknown tool: ${name}`, data: { code: "unknown_tool" } };
        expect(answer.error).toMatchObject(unknown);
      }
    }
    const { key: free } = await newKey();
    expect((await callTool("no_such_tool", {}, { key: free })).error?.code).toBe(-32602);
  });

  it("L14: is what the lists of tools show, on both addresses", async () => {
    const { key } = await subject(["every__add", "whoami"]);
    const all = (await rpc("tools/list", {}, { key })).result?.tools?.map(({ name }) => name);
    expect(all).toEqual(["every__add", "whoami"]);
    const own = (await rpc("tools/list", {}, { key, path: "/mcp/every" })).result?.tools?.map(({ name }) => name);
    expect(own).toEqual(["add"]);
  });

  it.each([
    ["prompts/list", {}],
    ["prompts/get", { name: "test_simple_prompt" }],
    ["resources/list", {}],
    ["resources/templates/list", {}],
    ["resources/read", { uri: "test://static-text" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "x" }, argument: { name: "a", value: "b" } }],
  ])("closes %s of servers: a list of tools allows tools only", async (method, params) => {
    const { key } = await subject(["every__add"]);
    const answer = await rpc(method, params, { key, path: "/mcp/every" });
    expect(answer.error).toMatchObject({ code: -32602, data: { code: "not_on_list" } });
  });

  it("announces no prompts and resources that it closes", async () => {
    const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const { key } = await subject(["every__add"]);
    const { result } = await rpc("initialize", hello, { key, path: "/mcp/every" });
    expect(Object.keys(result?.["capabilities"] ?? {})).not.toContain("prompts");
    expect(Object.keys(result?.["capabilities"] ?? {})).not.toContain("resources");
    expect(Object.keys(result?.["capabilities"] ?? {})).toContain("tools");
  });

  it("takes nothing from limits and quota for what it refuses", async () => {
    const made = await keyWith({ tools: ["echo"], quotaMax: 5, quotaPeriod: "total" });
    expect((await echo(made.key)).status).toBe(200);
    const before = await countsOf(made);
    expect((await callTool("whoami", {}, { key: made.key })).error?.code).toBe(-32602);
    expect((await callTool("search_servers", {}, { key: made.key })).error?.code).toBe(-32602);
    expect(await countsOf(made)).toEqual(before);
  });

  it("K12: is asked about the name in the body, not in a header, and in no other spelling", async () => {
    const { key } = await subject(["echo"]);
    const headers = { "mcp-name": "echo", "mcp-method": "tools/call" };
    expect((await callTool("whoami", {}, { key, headers })).error?.data).toMatchObject({ code: "unknown_tool" });
    for (const name of ["Echo", "echo ", " echo", "echo\u0000", "every__add", "__echo", "echo__"]) {
      expect((await callTool(name, { text: "x" }, { key })).error?.code).toBe(-32602);
    }
  });

  it("a call without a name, or with a name that is no text, gets past no list", async () => {
    const { key } = await subject([]);
    for (const params of [{}, { name: 7 }, { name: null }, { name: ["echo"] }, { name: { toString: "echo" } }]) {
      const answer = await rpc("tools/call", params, { key });
      expect(answer.error).toBeDefined();
      expect(answer.result).toBeUndefined();
    }
  });
});

describe("the scopes of a key", () => {
  it("R7: refuse before anything is taken, and name what is missing", async () => {
    const subject = await keyWith({ quotaMax: 5, quotaPeriod: "total" }, { scopes: ["mcp-registry:read"] });
    expect((await rpc("resources/list", {}, { key: subject.key })).status).toBe(200);
    const before = await countsOf(subject);
    const refused = await echo(subject.key);
    expect(refused.error).toMatchObject({
      code: 403,
      data: { code: "insufficient_scope", requiredScopes: ["mcp:tools"] },
    });
    expect(await countsOf(subject)).toEqual(before);
  });
});
