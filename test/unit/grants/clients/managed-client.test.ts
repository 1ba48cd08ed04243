import { describe, expect, it } from "vitest";
import { managedMetadata, managedRegistration, newClientGrant } from "../../../../src/grants/clients/managed-client.ts";

const REGISTRATION = { grantId: "client-1", tenantId: "organization", resources: ["https://gateway.example.com/mcp"] };

describe("the registration of a managed client", () => {
  it("is what was kept, and nothing beside it", () => {
    const settings = { ...REGISTRATION, name: "App", clientSecret: "secret" };
    expect(managedMetadata(settings)).toEqual({ managed: REGISTRATION });
    expect(managedRegistration({ clientDiscoveryId: null, metadata: managedMetadata(settings) })).toEqual(REGISTRATION);
  });

  it("D08: is nothing that a client says in a document of its own", () => {
    const metadata = managedMetadata(REGISTRATION);
    expect(managedRegistration({ clientDiscoveryId: "cimd", metadata })).toBeNull();
  });

  it.each([
    undefined,
    null,
    {},
    { managed: true },
    { managed: { ...REGISTRATION, resources: "https://gateway.example.com/mcp" } },
    JSON.stringify({ managed: REGISTRATION }),
  ])("is none where an administrator has kept none: %j", (metadata) => {
    expect(managedRegistration({ metadata })).toBeNull();
  });

  it("has a grant of its own that no authorization code can have", () => {
    expect(newClientGrant()).toMatch(/^client-[0-9a-f-]{36}$/);
    expect(newClientGrant()).not.toBe(newClientGrant());
    expect(newClientGrant()).toHaveLength(43);
  });
});
