import { describe, expect, it } from "vitest";
import { endsTokens, settingsProblem, type ClientSettings } from "../../../../src/grants/clients/settings.ts";
import { ALL_SCOPES } from "../../../../src/identity/scopes.ts";

const ORIGIN = "https://gateway.example.com";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";

/** A confidential client for people. */
const APP: ClientSettings = {
  name: "App",
  authMethod: "client_secret_basic",
  jwks: null,
  redirectUris: ["https://app.example.com/callback"],
  grantTypes: ["authorization_code", "refresh_token"],
  scopes: ["openid", "mcp:tools"],
  clientCredentialsScopes: [],
  tenantId: null,
  resources: [],
  trusted: false,
  disabled: false,
};
/** A client for itself. */
const MACHINE: ClientSettings = {
  ...APP,
  redirectUris: [],
  grantTypes: ["client_credentials"],
  clientCredentialsScopes: ["mcp:tools"],
  tenantId: "organization",
};

const problem = (settings: ClientSettings, offered: readonly string[] = ALL_SCOPES) =>
  settingsProblem(settings, { origin: ORIGIN, offered });

describe("what an administrator may make of a client", () => {
  it.each<[string, ClientSettings]>([
    ["for people", APP],
    ["that is public", { ...APP, authMethod: "none", redirectUris: ["http://localhost/cb"] }],
    ["that is trusted", { ...APP, trusted: true }],
    ["for itself", MACHINE],
    [
      "for people and itself",
      {
        ...MACHINE,
        ...APP,
        grantTypes: [...APP.grantTypes, "client_credentials"],
        clientCredentialsScopes: ["mcp:tools"],
        tenantId: "organization",
      },
    ],
    ["for a device", { ...APP, redirectUris: [], grantTypes: [DEVICE, "refresh_token"], authMethod: "none" }],
    [
      "that only introspects",
      { ...APP, redirectUris: [], grantTypes: [], resources: [`${ORIGIN}/mcp`, `${ORIGIN}/mcp/notes`] },
    ],
  ])("is a client %s", async (_what, settings) => {
    expect(await problem(settings)).toBeUndefined();
  });

  it.each<[string, ClientSettings, string]>([
    ["redirects to nowhere", { ...APP, redirectUris: [] }, "redirectUris"],
    ["redirects without a grant", { ...MACHINE, redirectUris: APP.redirectUris }, "redirectUris"],
    [
      "a dangerous redirect",
      { ...APP, redirectUris: ["https://app.example.com/", "javascript:alert(1)"] },
      "redirectUris",
    ],
    ["refreshing nothing", { ...MACHINE, grantTypes: ["client_credentials", "refresh_token"] }, "grantTypes"],
    ["nothing at all", { ...APP, redirectUris: [], grantTypes: [] }, "grantTypes"],
    ["trust in a public client", { ...APP, authMethod: "none", trusted: true }, "trusted"],
    [
      "trust in whoever listens on loopback",
      { ...APP, redirectUris: ["http://localhost/cb"], trusted: true },
      "trusted",
    ],
    ["trust without people", { ...MACHINE, trusted: true }, "trusted"],
    ["an account of a public client", { ...MACHINE, authMethod: "none" }, "authMethod"],
    ["an account nowhere", { ...MACHINE, tenantId: null }, "tenantId"],
    ["an account without scopes", { ...MACHINE, clientCredentialsScopes: [] }, "clientCredentialsScopes"],
    ["scopes without an account", { ...APP, clientCredentialsScopes: ["mcp:tools"] }, "clientCredentialsScopes"],
    ["a machine as administrator", { ...MACHINE, clientCredentialsScopes: ["mcp:tools", "admin"] }, "admin"],
    ["a machine as person", { ...MACHINE, clientCredentialsScopes: ["openid"] }, "openid"],
    ["another origin's resource", { ...APP, resources: ["https://other.example.com/mcp"] }, "resources"],
    ["no resource", { ...APP, resources: [`${ORIGIN}/mcp/token`] }, "resources"],
    ["introspection by anybody", { ...APP, authMethod: "none", resources: [`${ORIGIN}/mcp`] }, "authMethod"],
    ["a key method without keys", { ...APP, authMethod: "private_key_jwt" }, "jwks"],
    ["keys without their method", { ...APP, jwks: { keys: [] } }, "jwks"],
    ["bad keys", { ...APP, authMethod: "private_key_jwt", jwks: { keys: [{ kty: "oct", k: "x" }] } }, "jwks"],
  ])("D08: is not %s", async (_what, settings, place) => {
    expect(await problem(settings)).toContain(place);
  });

  it("has no scope that the deployment does not offer", async () => {
    expect(await problem(APP, ["mcp:tools"])).toContain("openid");
    expect(await problem({ ...MACHINE, scopes: [] }, ["openid"])).toContain("mcp:tools");
  });
});

describe("a change of a client", () => {
  it.each<[string, Partial<ClientSettings>]>([
    ["is disabled", { disabled: true }],
    ["loses a scope", { scopes: ["openid"] }],
    ["loses a grant type", { grantTypes: ["authorization_code"] }],
    ["moves to another tenant", { tenantId: "other" }],
    ["gets other scopes for itself", { clientCredentialsScopes: ["audit:read"] }],
    ["gets other keys", { jwks: { keys: [{ kty: "EC" }] } }],
  ])("ends its tokens when it %s", (_what, change) => {
    expect(endsTokens(APP, { ...APP, ...change })).toBe(true);
  });

  it.each<[string, Partial<ClientSettings>]>([
    ["nothing", {}],
    ["its name", { name: "Other" }],
    ["where it redirects", { redirectUris: ["https://other.example.com/"] }],
    ["what it may introspect", { resources: [`${ORIGIN}/mcp`] }],
    ["whether people are asked", { trusted: true }],
  ])("ends nothing when it is %s that changes", (_what, change) => {
    expect(endsTokens(APP, { ...APP, ...change })).toBe(false);
  });

  it("ends nothing when a disabled client is enabled, whose tokens have ended already", () => {
    expect(endsTokens({ ...APP, disabled: true }, APP)).toBe(false);
  });
});
