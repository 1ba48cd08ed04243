import { describe, expect, it } from "vitest";
import { isResource } from "../../../src/identity/resources.ts";
import { correctedMetadata, protectedResource } from "../../../src/oauth/metadata.ts";

const ORIGIN = "https://gateway.example.com";

describe("protected resource metadata (RFC 9728)", () => {
  it("is of the aggregated endpoint", () => {
    expect(protectedResource(ORIGIN)).toEqual({
      resource: "https://gateway.example.com/mcp",
      authorization_servers: ["https://gateway.example.com"],
      scopes_supported: ["mcp:tools"],
      bearer_methods_supported: ["header"],
      dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
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

describe("authorization server metadata (RFC 8414)", () => {
  const METHODS = ["client_secret_basic", "private_key_jwt"];
  const corrected = (document: Record<string, unknown>) =>
    JSON.parse(correctedMetadata(JSON.stringify(document))) as Record<string, unknown>;

  it("names public clients where the framework leaves them out, once, and not where they are refused", () => {
    for (const methods of [METHODS, ["none", ...METHODS]]) {
      expect(
        corrected({
          token_endpoint_auth_methods_supported: methods,
          revocation_endpoint_auth_methods_supported: METHODS,
          introspection_endpoint_auth_methods_supported: METHODS,
        }),
      ).toMatchObject({
        token_endpoint_auth_methods_supported: ["none", ...METHODS],
        revocation_endpoint_auth_methods_supported: ["none", ...METHODS],
        introspection_endpoint_auth_methods_supported: METHODS,
      });
    }
  });

  it("promises no back-channel logout, which nobody can register for, and leaves the rest as it is", () => {
    expect(corrected({ issuer: ORIGIN, backchannel_logout_supported: true })).toMatchObject({
      issuer: ORIGIN,
      backchannel_logout_supported: false,
      backchannel_logout_session_supported: false,
    });
  });
});
