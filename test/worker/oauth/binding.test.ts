import { describe, expect, it } from "vitest";
import { origin } from "../../support/gateway.ts";
import { claimsOf, newClient, newPerson, tokensFor } from "../../support/oauth.ts";

describe("the resource of an authorization", () => {
  it.each([
    ["none is named", undefined, "/mcp"],
    ["the origin is named", origin, "/mcp"],
    ["the origin with a slash is named", `${origin}/`, "/mcp"],
    ["it ends in a slash", `${origin}/mcp/`, "/mcp"],
    ["scheme and host are in capitals", "HTTP://LOCALHOST:8787/mcp", "/mcp"],
    ["one server is named", `${origin}/mcp/notes`, "/mcp/notes"],
  ])("R21: when %s, the token is a JWT for that resource only", async (_when, resource, path) => {
    const tokens = await tokensFor(await newClient(), await newPerson(), { resource, scope: "mcp:tools" });
    expect([claimsOf(tokens.access_token)["aud"]].flat()).toEqual([`${origin}${path}`]);
  });
});

describe("scopes of an authorization", () => {
  it.each([undefined, ""])("that names none (%j) are the least ones, not all", async (scope) => {
    const tokens = await tokensFor(await newClient(), await newPerson(), { scope });
    expect(tokens.scope.split(" ")).toEqual(["mcp:tools", "offline_access"]);
  });

  it("A08: that are named twice count once", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson(), { scope: "mcp:tools mcp:tools" });
    expect(tokens.scope).toBe("mcp:tools offline_access");
  });
});
