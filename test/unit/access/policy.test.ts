import { describe, expect, it } from "vitest";
import { principalOf } from "../../../src/access/credential/authenticate.ts";
import { mayUseServer, mayUseTool, refusalOf, type Wanted } from "../../../src/access/policy.ts";
import type { CredentialRecord } from "../../../src/access/record.ts";
import type { AccessRefusal } from "../../../src/access/refusal.ts";
import { addressRange, type AddressRange } from "../../../src/platform/ip.ts";
import { grantOf, KEY, NOW, quota, record, tokenClaim, wanted } from "./credentials.ts";

function answer(change: Partial<CredentialRecord>, asked: Partial<Wanted> = {}, now = NOW) {
  const held = record(change);
  return refusalOf(held, principalOf(KEY, held), wanted(asked), now);
}

const invalid = (reason: string): AccessRefusal => ({ kind: "invalid_credential", presented: "api_key", reason });
const ranges = (...texts: string[]): AddressRange[] => texts.map((text) => addressRange(text) ?? ["", ""]);

describe("R7: whether a key's record allows a call", () => {
  it("R7: is yes without any rule", () => {
    expect(answer({})).toBeUndefined();
    expect(answer({}, { address: null, server: null, tool: null })).toBeUndefined();
  });

  it("J07: is no when the key does not work, whatever else is so", () => {
    expect(answer({ works: false })).toEqual(invalid("api_key key-1 is disabled or its owner may not use it"));
    expect(answer({ works: false, servers: [], addresses: [] }, { scopes: ["admin"] })).toMatchObject({
      kind: "invalid_credential",
    });
  });

  it.each([
    ["a millisecond before it expires", NOW + 1, undefined],
    ["at the moment at which it expires", NOW, invalid("key key-1 has expired")],
    ["after that", NOW - 1, invalid("key key-1 has expired")],
    ["when it expired at the beginning of time", 0, invalid("key key-1 has expired")],
  ])("J07: ends to the millisecond: %s", (_when, expiresAt, refusal) => {
    expect(answer({ expiresAt })).toEqual(refusal);
  });

  it.each([
    ["a millisecond before the lock ends", NOW + 1, invalid("key key-1 is locked")],
    ["at the moment at which it ends", NOW, undefined],
    ["after that", NOW - 1, undefined],
  ])("J07: begins again to the millisecond: %s", (_when, disabledUntil, refusal) => {
    expect(answer({ disabledUntil })).toEqual(refusal);
  });

  it("says of a grant that it is an access token that is not good", () => {
    const held = grantOf({ works: false });
    expect(refusalOf(held, principalOf(tokenClaim(), held), wanted(), NOW)).toMatchObject({
      kind: "invalid_credential",
      presented: "access_token",
    });
  });

  it("R9: does not read the quota: where that stands, Redis knows", () => {
    expect(answer({ quota: { ...quota, used: 1_000 } })).toBeUndefined();
  });
});

describe("R15: the addresses that a key may be used from", () => {
  const V4 = ["192.0.2.0/24", "198.51.100.7"];
  const V6 = ["2001:db8:1::/48", "2001:db8:2::5"];
  it.each<[string | null, string[], boolean]>([
    ["192.0.2.0", V4, true],
    ["192.0.2.255", V4, true],
    ["192.0.3.0", V4, false],
    ["192.0.1.255", V4, false],
    ["198.51.100.7", V4, true],
    ["198.51.100.8", V4, false],
    ["::ffff:192.0.2.9", V4, true],
    ["::ffff:c000:0209", V4, true],
    ["::192.0.2.9", V4, false],
    ["2001:db8:1::1", V4, false],
    ["2001:db8:1::", V6, true],
    ["2001:DB8:1:ffff:ffff:ffff:ffff:FFFF", V6, true],
    ["2001:db8:2::5", V6, true],
    ["2001:db8:2::6", V6, false],
    ["2001:db8:0:ffff::1", V6, false],
    ["192.0.2.1", V6, false],
    ["192.0.2.1", ["::ffff:192.0.2.0/120"], true],
    ["192.0.2.1", ["::/0"], true],
    ["2001:db8::1", ["::/0"], true],
    ["192.0.2.1", ["0.0.0.0/0"], true],
    ["2001:db8::1", ["0.0.0.0/0"], false],
    [null, V4, false],
    [null, ["::/0"], false],
    ["", ["::/0"], false],
    ["192.0.2.1, 198.51.100.7", V4, false],
    ["192.0.2.01", V4, false],
    ["3221225985", V4, false],
    ["gateway.example.com", ["::/0"], false],
  ])("J14: are compared as addresses: %j in %j is %j", (address, list, isAllowed) => {
    expect(answer({ addresses: ranges(...list) }, { address })).toEqual(
      isAllowed ? undefined : { kind: "address_not_allowed" },
    );
  });

  it("J14: are none when the list is empty, and all when there is no list", () => {
    expect(answer({ addresses: [] })).toEqual({ kind: "address_not_allowed" });
    expect(answer({ addresses: [] }, { address: null })).toEqual({ kind: "address_not_allowed" });
    expect(answer({ addresses: null }, { address: null })).toBeUndefined();
  });

  it("R15: are asked before anything that the answer could tell of the key", () => {
    expect(answer({ addresses: [], servers: [], scopes: [] })).toEqual({ kind: "address_not_allowed" });
  });
});

describe("the scopes that a call needs", () => {
  it("O02: admin is no use any more once the role is gone, which is told apart from lacking the scope", () => {
    expect(answer({ scopes: ["admin"] }, { scopes: ["admin"] })).toEqual({ kind: "not_administrator" });
    expect(answer({ scopes: ["admin", "keys:read"] }, { scopes: ["keys:read", "admin"] })).toEqual({
      kind: "not_administrator",
    });
    expect(answer({ scopes: ["admin", "mcp:tools"] })).toBeUndefined();
  });

  it.each<[string, Partial<CredentialRecord>, Wanted["scopes"], boolean]>([
    ["none are needed", { scopes: [] }, [], true],
    ["the one that is needed is there", {}, ["mcp:tools"], true],
    ["another is there", {}, ["mcp-registry:read"], false],
    ["one of two is there", {}, ["mcp:tools", "mcp-registry:read"], false],
    ["the key has none", { scopes: [] }, ["mcp:tools"], false],
    ["the key's scopes are not known", { scopes: null }, ["mcp:tools"], false],
    ["admin is held by an administrator", { scopes: ["admin"], isAdministrator: true }, ["admin"], true],
    ["an administrator's key has other scopes", { isAdministrator: true }, ["admin"], false],
    [
      "an administrator's key is for something else",
      { scopes: ["admin"], isAdministrator: true },
      ["mcp:tools"],
      false,
    ],
  ])("K03: are asked for: %s", (_what, change, scopes, isAllowed) => {
    expect(answer(change, { scopes })).toEqual(
      isAllowed ? undefined : { kind: "insufficient_scope", required: scopes },
    );
  });
});

describe("the servers and tools that a key may use", () => {
  const NOT = { kind: "not_on_list" };
  const none = { server: null, tool: null };
  const beyond = { tool: null, beyondTools: true };
  it.each<[string, Partial<CredentialRecord>, Partial<Wanted>, boolean]>([
    ["no list", {}, {}, true],
    ["no list, prompts", {}, beyond, true],
    ["its server", { servers: ["apps", "notes"] }, {}, true],
    ["another server", { servers: ["apps"] }, {}, false],
    ["a server by a part of its name", { servers: ["note", "notes2"] }, {}, false],
    ["a server in other letters", { servers: ["Notes"] }, {}, false],
    ["prompts of its server", { servers: ["notes"] }, beyond, true],
    ["prompts of another server", { servers: ["apps"] }, beyond, false],
    ["a built-in tool with a list of servers", { servers: ["apps"] }, { server: null, tool: "echo" }, true],
    ["negotiation with a list of servers", { servers: ["apps"] }, none, true],
    ["no server at all", { servers: [] }, {}, false],
    ["negotiation without any server", { servers: [] }, none, true],
    ["its tool", { tools: ["echo", "notes__create"] }, {}, true],
    ["another tool", { tools: ["notes__delete"] }, {}, false],
    ["a tool by its own name", { tools: ["create"] }, {}, false],
    ["a tool by a part of its name", { tools: ["notes__", "notes__creat", "notes__created"] }, {}, false],
    ["a built-in tool that is not on the list", { tools: ["notes__create"] }, { server: null, tool: "echo" }, false],
    ["a built-in tool on the list", { tools: ["echo"] }, { server: null, tool: "echo" }, true],
    ["a list of tools, to be cut", { tools: ["echo"] }, none, true],
    ["no tool at all", { tools: [] }, {}, false],
    ["negotiation without any tool", { tools: [] }, none, true],
    ["prompts with a list of tools", { tools: ["notes__create"] }, beyond, false],
    ["prompts without any tool", { tools: [] }, beyond, false],
    ["its tool on a server that is not its", { servers: ["apps"], tools: ["notes__create"] }, {}, false],
    ["another tool on its server", { servers: ["notes"], tools: ["notes__delete"] }, {}, false],
    ["its tool on its server", { servers: ["notes"], tools: ["notes__create"] }, {}, true],
  ])("L14: %s", (_what, change, asked, isAllowed) => {
    expect(answer(change, asked)).toEqual(isAllowed ? undefined : NOT);
  });

  it("are told apart from scopes: who lacks both is told of the scope", () => {
    expect(answer({ tools: [], scopes: [] })).toMatchObject({ kind: "insufficient_scope" });
  });

  it("cut lists the same way", () => {
    const held = { servers: ["notes"], tools: ["notes__create"] };
    expect([mayUseServer(held, "notes"), mayUseServer(held, "apps")]).toEqual([true, false]);
    expect([mayUseTool(held, "notes__create"), mayUseTool(held, "echo")]).toEqual([true, false]);
    expect([mayUseServer({ servers: [] }, "notes"), mayUseTool({ tools: [] }, "echo")]).toEqual([false, false]);
    expect([mayUseServer({ servers: null }, "notes"), mayUseTool({ tools: null }, "echo")]).toEqual([true, true]);
  });
});
