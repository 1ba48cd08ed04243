import { describe, expect, it } from "vitest";
import { principalOf, withoutLostRole } from "../../../src/access/credential/authenticate.ts";
import { missingScopes, type Principal } from "../../../src/access/principal.ts";
import { grantOf, KEY, quota, record, TOKEN_PRINCIPAL, tokenClaim } from "./credentials.ts";

describe("R8: who calls", () => {
  it("R8: is, with a key, the principal of its record", () => {
    expect(principalOf(KEY, record())).toEqual({
      credential: { kind: "api_key", id: "key-1", name: "laptop" },
      userId: "user-1",
      tenantId: "tenant-1",
      scopes: new Set(["mcp:tools"]),
      clientId: null,
      grantId: null,
      servers: null,
      tools: null,
      restricted: false,
    });
  });

  it("R8: is, with a token, the principal that the token names", () => {
    expect(principalOf(tokenClaim(), grantOf())).toEqual(TOKEN_PRINCIPAL);
  });

  it("J10: knows neither the key nor its hash", () => {
    const text = JSON.stringify(principalOf(KEY, record()));
    expect(text).not.toContain(KEY.hash);
    expect(text).not.toContain(KEY.key);
  });

  it("has the lists of its key", () => {
    expect(principalOf(KEY, record({ servers: ["notes"], tools: [] }))).toMatchObject({
      servers: ["notes"],
      tools: [],
    });
  });

  it.each([{ addresses: [] }, { servers: ["notes"] }, { tools: [] }, { quota }, { hasOwnRate: true }])(
    "is held to less than its scopes say by a rule of its key: %j",
    (rule) => {
      expect(principalOf(KEY, record(rule)).restricted).toBe(true);
    },
  );

  it("O02: is no administrator any more once the role is gone, with a key or a token", () => {
    const principal: Principal = { ...TOKEN_PRINCIPAL, scopes: new Set(["mcp:tools", "admin"]) };
    expect(withoutLostRole(principal, grantOf({ isAdministrator: true }))).toBe(principal);
    expect(withoutLostRole(principal, grantOf())).toEqual(TOKEN_PRINCIPAL);
    expect(principal.scopes).toEqual(new Set(["mcp:tools", "admin"]));
    expect(withoutLostRole(TOKEN_PRINCIPAL, grantOf())).toBe(TOKEN_PRINCIPAL);
  });
});

describe("the scopes that a principal lacks", () => {
  const principal: Principal = { ...TOKEN_PRINCIPAL, scopes: new Set(["mcp:tools", "admin"]) };

  it("are those of the required ones that it does not hold, in their order", () => {
    expect(missingScopes(principal, [])).toEqual([]);
    expect(missingScopes(principal, ["mcp:tools"])).toEqual([]);
    expect(missingScopes(principal, ["keys:write", "mcp:tools", "audit:read"])).toEqual(["keys:write", "audit:read"]);
  });

  it("are not made up for by being an administrator", () => {
    expect(missingScopes(principal, ["audit:read"])).toEqual(["audit:read"]);
  });
});
