import { describe, expect, it } from "vitest";
import { isResource } from "../../../src/auth/resources.ts";
import { protectedResource } from "../../../src/oauth/metadata.ts";

const ORIGIN = "https://gateway.example.com";

describe("protected resource metadata (RFC 9728)", () => {
  it("is of the aggregated endpoint", () => {
    expect(protectedResource(ORIGIN)).toEqual({
      resource: "https://gateway.example.com/mcp",
      authorization_servers: ["https://gateway.example.com"],
      scopes_supported: ["mcp:tools"],
      bearer_methods_supported: ["header"],
      resource_name: "MCP Registry Gateway",
    });
  });

  it("is of one server by its slug, whether or not somebody has it", () => {
    expect(protectedResource(ORIGIN, "notes")).toMatchObject({
      resource: "https://gateway.example.com/mcp/notes",
      resource_name: "MCP Registry Gateway: notes",
    });
  });

  it("names a resource for which tokens are issued", () => {
    for (const slug of [undefined, "notes"]) {
      expect(isResource(String(protectedResource(ORIGIN, slug)["resource"]), ORIGIN)).toBe(true);
    }
  });

  it("does not take tokens in a URL, nor ask for lasting access", () => {
    const text = JSON.stringify(protectedResource(ORIGIN, "notes"));
    expect(text).not.toContain("query");
    expect(text).not.toContain("offline_access");
  });
});
