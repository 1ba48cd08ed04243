import { describe, expect, it } from "vitest";
import { canonicalResource, isResource, isSlug, RESERVED_SLUGS, resourceOf } from "../../../src/identity/resources.ts";

const ORIGIN = "https://gateway.example.com";

describe("a slug", () => {
  it.each(["a", "0", "notes", "my-notes-2", "a".repeat(16), "authorizes", "token-1"])("may be %s", (text) => {
    expect(isSlug(text)).toBe(true);
  });

  it.each([
    "",
    "a".repeat(17),
    "Notes",
    "my_notes",
    "a__b",
    "a.b",
    "..",
    "a/b",
    "a b",
    " a",
    "a\n",
    "a%2f",
    "é",
    "\u0430",
    "a:b",
  ])("may not be %j", (text) => {
    expect(isSlug(text)).toBe(false);
  });

  it("may not be an endpoint of old clients", () => {
    expect(RESERVED_SLUGS).toEqual(["authorize", "token", "register"]);
    expect(RESERVED_SLUGS.filter(isSlug)).toEqual([]);
  });
});

describe("a resource of this gateway", () => {
  it("is /mcp, and /mcp/{slug} for every well-formed slug", () => {
    expect(resourceOf(ORIGIN)).toBe("https://gateway.example.com/mcp");
    expect(resourceOf(ORIGIN, "notes")).toBe("https://gateway.example.com/mcp/notes");
    expect(isResource(`${ORIGIN}/mcp`, ORIGIN)).toBe(true);
    expect(isResource(`${ORIGIN}/mcp/nobody-has-this`, ORIGIN)).toBe(true);
  });

  it.each([
    "",
    ORIGIN,
    `${ORIGIN}/`,
    `${ORIGIN}/mcp/`,
    `${ORIGIN}/mcp/token`,
    `${ORIGIN}/mcp/Notes`,
    `${ORIGIN}/mcp/a/b`,
    `${ORIGIN}/mcp/notes/`,
    `${ORIGIN}/mcp/notes?x=1`,
    `${ORIGIN}/mcp/notes#x`,
    `${ORIGIN}/mcpnotes`,
    `${ORIGIN}/MCP`,
    `${ORIGIN}/api/v1`,
    `${ORIGIN}.evil.example/mcp`,
    "http://gateway.example.com/mcp",
    "https://gateway.example.com:8443/mcp",
    "https://evil.example.com/mcp",
    "/mcp",
  ])("A09: is not %j", (identifier) => {
    expect(isResource(identifier, ORIGIN)).toBe(false);
  });
});

describe("the resource that a client means", () => {
  it.each([
    ["nothing", undefined, "/mcp"],
    ["an empty value", "", "/mcp"],
    ["the bare origin", ORIGIN, "/mcp"],
    ["the origin with a slash", `${ORIGIN}/`, "/mcp"],
    ["the endpoint", `${ORIGIN}/mcp`, "/mcp"],
    ["the endpoint with a slash", `${ORIGIN}/mcp/`, "/mcp"],
    ["a server", `${ORIGIN}/mcp/notes`, "/mcp/notes"],
    ["a server with a slash", `${ORIGIN}/mcp/notes/`, "/mcp/notes"],
    ["an upper-case host", "https://GATEWAY.Example.COM/mcp", "/mcp"],
    ["an upper-case scheme", "HTTPS://gateway.example.com/mcp", "/mcp"],
    ["the default port", "https://gateway.example.com:443/mcp", "/mcp"],
    ["dots in the path", `${ORIGIN}/x/../mcp/notes`, "/mcp/notes"],
  ])("by %s", (_what, requested, path) => {
    expect(canonicalResource(requested, ORIGIN)).toBe(`${ORIGIN}${path}`);
  });

  it.each([
    "https://evil.example.com/mcp",
    "https://evil.example.com",
    "https://gateway.example.com.evil.example/mcp",
    "https://gateway.example.com@evil.example.com/mcp",
    "http://gateway.example.com/mcp",
    "https://gateway.example.com:8443/mcp",
    `${ORIGIN}/mcp?x=1`,
    `${ORIGIN}/mcp#part`,
    `${ORIGIN}?x=1`,
    `${ORIGIN}#part`,
    "javascript:alert(1)",
    "urn:example:mcp",
    "//gateway.example.com/mcp",
    "/mcp",
    "mcp",
    "not a url",
  ])("A09: stays %j, which is no resource of ours", (requested) => {
    expect(canonicalResource(requested, ORIGIN)).toBe(requested);
    expect(isResource(canonicalResource(requested, ORIGIN), ORIGIN)).toBe(false);
  });

  it.each([`${ORIGIN}/%6dcp`, `${ORIGIN}/mcp%2Fnotes`, `${ORIGIN}/mcp/no%74es`, `${ORIGIN}//mcp`, `${ORIGIN}/mcp//`])(
    "A09: is none of ours in another encoding or with empty parts: %s",
    (requested) => {
      expect(isResource(canonicalResource(requested, ORIGIN), ORIGIN)).toBe(false);
    },
  );

  it("compares path and slug with their case", () => {
    expect(isResource(canonicalResource(`${ORIGIN}/MCP`, ORIGIN), ORIGIN)).toBe(false);
    expect(isResource(canonicalResource(`${ORIGIN}/mcp/Notes`, ORIGIN), ORIGIN)).toBe(false);
  });
});
