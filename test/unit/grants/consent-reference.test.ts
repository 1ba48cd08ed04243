import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { consentReference, REFERENCE_HASH, tenantOfReference } from "../../../src/grants/consent-reference.ts";

const TENANT = "personal-user-1";
const of = (uri: string | undefined) => consentReference(TENANT, uri);

describe("the reference of a consent", () => {
  it("B04: differs for every redirect URI and every tenant, and is always the same for the same two", async () => {
    const uris = [
      "https://app.example.com/callback",
      "https://app.example.com/callback/",
      "https://app.example.com/callback?x=1",
      "https://app.example.com:8443/callback",
      "https://APP.example.com/callback",
      "http://app.example.com/callback",
      "cursor://anysphere.cursor-mcp/oauth/callback",
      "http://127.0.0.1/callback",
      "http://localhost/callback",
      "http://[::1]/callback",
    ];
    const references = await Promise.all(uris.map(of));
    expect(new Set(references).size).toBe(uris.length);
    expect(await Promise.all(uris.map(of))).toEqual(references);
    expect(await consentReference("organization-1", uris[0])).not.toBe(references[0]);
  });

  it.each([
    ["http://127.0.0.1:49152/callback", "http://127.0.0.1/callback"],
    ["http://127.0.0.1:49152/callback", "http://127.0.0.1:49153/callback"],
    ["http://127.8.9.10:1", "http://127.8.9.10"],
    ["http://localhost:3000/callback?x=1", "http://localhost:4000/callback?x=1"],
    ["http://[::1]:3000/callback", "http://[::1]/callback"],
  ])("is the same at another port of this computer (RFC 8252 §7.3): %s, %s", async (one, other) => {
    expect(await of(one)).toBe(await of(other));
  });

  it.each([
    ["https://127.0.0.1:1/callback", "https://127.0.0.1:2/callback"],
    ["https://localhost:1/callback", "https://localhost:2/callback"],
    ["http://127.0.0.1.evil.example:1/", "http://127.0.0.1.evil.example:2/"],
    ["http://localhost.evil.example:1/", "http://localhost.evil.example:2/"],
    ["http://evil.example/http://127.0.0.1:1/", "http://evil.example/http://127.0.0.1:2/"],
    ["http://127.0.0.1:1@evil.example/", "http://127.0.0.1:2@evil.example/"],
    ["http://localhost:1a/", "http://localhost:2a/"],
  ])("differs where a port is not that of a loopback address: %s, %s", async (one, other) => {
    expect(await of(one)).not.toBe(await of(other));
  });

  it.each([undefined, ""])(
    "is one that nothing was consented under when there is no redirect URI: %j",
    async (none) => {
      const references = await Promise.all([of(none), of(none), of(none)]);
      expect(new Set(references).size).toBe(3);
      for (const reference of references) expect(tenantOfReference(reference)).toBe(TENANT);
    },
  );

  it("gives back its tenant, whatever the tenant and the redirect URI are", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "grapheme" }),
        fc.option(fc.webUrl(), { nil: undefined }),
        async (tenant, uri) => {
          expect(tenantOfReference(await consentReference(tenant, uri))).toBe(tenant);
        },
      ),
      { seed: 7, numRuns: 100 },
    );
  });

  it("from before redirect URIs counted is a tenant by itself", () => {
    for (const old of ["personal-user-1", "Vh2nPqRsTuVwXyZaBcDeFgHiJkLmNoPq", "organization#1", ""])
      expect(tenantOfReference(old)).toBe(old);
  });

  it("has a hash part that Postgres recognises by the same pattern", async () => {
    expect(REFERENCE_HASH).toMatch(/^[#[\]A-Za-z0-9_{}$-]+$/);
    expect((await of("https://app.example.com/")).replace(new RegExp(REFERENCE_HASH), "")).toBe(TENANT);
  });
});
