import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ALL_SCOPES,
  isScope,
  KEY_SCOPES,
  MINIMAL_SCOPES,
  permissionsToScopes,
  SCOPES,
  scopesToPermissions,
} from "../../../src/identity/scopes.ts";

describe("scopes", () => {
  it("are the ones that the contract lists", () => {
    expect(ALL_SCOPES).toEqual([
      "openid",
      "profile",
      "email",
      "offline_access",
      "mcp:tools",
      "mcp-registry:read",
      "mcp-registry:write",
      "keys:read",
      "keys:write",
      "keys:verify",
      "audit:read",
      "admin",
    ]);
  });

  it("each have words of their own for the people who grant them", () => {
    const words = Object.values<string>(SCOPES);
    expect(words.filter((text) => text.trim().length < 10)).toEqual([]);
    expect(new Set(words).size).toBe(words.length);
  });

  it("of a key are those that name an operation", () => {
    const identity = ["openid", "profile", "email", "offline_access"];
    expect(KEY_SCOPES).toEqual(ALL_SCOPES.filter((scope) => !identity.includes(scope)));
  });

  it("that a client needs at least do not ask for lasting access", () => {
    expect(MINIMAL_SCOPES).toEqual(["mcp:tools"]);
  });

  it.each(["", "mcp", "mcp:", "MCP:tools", "mcp:tools ", "admin:*", "*", "toString", "__proto__", "constructor"])(
    "do not include %j",
    (text) => {
      expect(isScope(text)).toBe(false);
    },
  );
});

describe("a key's permissions", () => {
  it.each([
    [["mcp:tools"], { mcp: ["tools"] }],
    [["admin"], { admin: ["*"] }],
    [["keys:read", "mcp:tools", "keys:write"], { keys: ["read", "write"], mcp: ["tools"] }],
    [[], {}],
  ] as const)("of %j are %j", (scopes, permissions) => {
    expect(scopesToPermissions(scopes)).toEqual(permissions);
  });

  it("become the same scopes again, whatever they are", () => {
    fc.assert(
      fc.property(fc.subarray([...ALL_SCOPES]), (scopes) => {
        const again = permissionsToScopes(JSON.parse(JSON.stringify(scopesToPermissions(scopes))));
        expect(new Set(again)).toEqual(new Set(scopes));
        expect(again).toHaveLength(scopes.length);
      }),
      { seed: 8 },
    );
  });

  it.each<[unknown]>([
    [null],
    [undefined],
    ["mcp:tools"],
    [7],
    [[]],
    [["mcp:tools"]],
    [{}],
    [{ mcp: "tools" }],
    [{ mcp: null }],
    [{ mcp: { 0: "tools" } }],
    [{ mcp: ["Tools", "tool", "", null, 7, ["x"]] }],
    [{ mcp: ["*"] }],
    [{ "*": ["*"] }],
    [{ "*": ["admin"] }],
    [{ admin: ["read", ""] }],
    [{ constructor: ["*"], toString: ["*"] }],
    [JSON.parse('{"__proto__": ["*"]}')],
  ])("grant nothing when they name no scope of ours: %j", (permissions) => {
    expect(permissionsToScopes(permissions)).toEqual([]);
  });

  it("grant what is known beside what is not", () => {
    expect(permissionsToScopes({ files: ["read"], mcp: ["tools", "x"], admin: "yes" })).toEqual(["mcp:tools"]);
  });
});
