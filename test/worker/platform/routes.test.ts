import { describe, expect, it } from "vitest";
import { createApp, jsonRoutes } from "../../../src/app.ts";
import { honoPath } from "../../../src/http/mount.ts";
import { createServices } from "../../../src/services.ts";
import { config, newKey, request } from "../../support/gateway.ts";
import { background } from "../../support/worker.ts";

/** Addresses outside the declared JSON routes, and what lets a caller in. A new one fails the first test until it has a row here. */
const ADDRESSES: Record<string, "public" | "session" | "oauth" | "credential"> = {
  "/": "public",
  "/sign-in": "public",
  "/sign-in/provider": "public",
  "/sign-up": "public",
  "/verify-email": "public",
  "/forgot-password": "public",
  "/reset-password": "public",
  "/error": "public",
  "/consent": "session",
  "/device": "session",
  "/device/*": "session",
  "/device/:code": "session",
  "/device/decide": "session",
  "/sign-out": "session",
  "/dashboard/*": "session",
  "/dashboard/organizations": "session",
  "/dashboard/organizations/:organization": "session",
  "/dashboard/organizations/:organization/role": "session",
  "/dashboard/organizations/:organization/remove": "session",
  "/dashboard/organizations/:organization/invite": "session",
  "/dashboard/organizations/:organization/cancel": "session",
  "/invite": "session",
  "/invite/*": "public",
  "/invite/:token": "public",
  "/dashboard": "session",
  "/dashboard/account": "session",
  "/dashboard/account/name": "session",
  "/dashboard/account/password": "session",
  "/dashboard/account/email": "session",
  "/dashboard/account/delete": "session",
  "/dashboard/account/confirm-address": "session",
  "/dashboard/apps": "session",
  "/dashboard/apps/disconnect": "session",
  "/dashboard/keys": "session",
  "/dashboard/keys/new": "session",
  "/dashboard/keys/:key": "session",
  "/dashboard/keys/:key/name": "session",
  "/dashboard/keys/:key/limits": "session",
  "/dashboard/keys/:key/enabled": "session",
  "/dashboard/keys/:key/rotate": "session",
  "/dashboard/keys/:key/revoke": "session",
  "/registry": "public",
  "/registry/*": "public",
  "/registry/:name": "public",
  "/dashboard/registry": "session",
  "/dashboard/registry/publish": "session",
  "/dashboard/registry/:name": "session",
  "/dashboard/registry/:name/status": "session",
  "/dashboard/registry/:name/visibility": "session",
  "/dashboard/registry/:name/gateway": "session",
  "/dashboard/sessions": "session",
  "/dashboard/sessions/revoke": "session",
  "/dashboard/sessions/revoke-others": "session",
  "/.well-known/*": "public",
  "/.well-known/oauth-protected-resource": "public",
  "/.well-known/oauth-protected-resource/mcp": "public",
  "/.well-known/oauth-protected-resource/mcp/:slug": "public",
  "/.well-known/oauth-authorization-server": "public",
  "/.well-known/openid-configuration": "public",
  "/api/auth/jwks": "public",
  "/authorize": "oauth",
  "/token": "oauth",
  "/register": "oauth",
  "/mcp/authorize": "oauth",
  "/mcp/token": "oauth",
  "/mcp/register": "oauth",
  "/api/auth/oauth2/authorize": "oauth",
  "/api/auth/oauth2/token": "oauth",
  "/api/auth/oauth2/register": "oauth",
  "/api/auth/oauth2/revoke": "oauth",
  "/api/auth/device/code": "oauth",
  "/api/auth/device/waiting": "session",
  "/api/auth/device/decide": "session",
  "/api/auth/oauth2/introspect": "oauth",
  "/api/auth/oauth2/authenticate-client": "oauth",
  "/api/auth/oauth2/userinfo": "oauth",
  "/api/auth/oauth2/consent": "oauth",
  "/api/auth/oauth2/continue": "oauth",
  "/api/auth/*": "oauth",
  "/api/auth/callback/*": "public",
  "/mcp": "credential",
  "/mcp/:slug": "credential",
  "/v0.1/*": "public",
  "/v0/*": "public",
  "/r/*": "public",
};
const MIDDLEWARE = "/*";

describe("every address of the gateway", () => {
  it("O01: is a declared route or has a row that says who may use it", () => {
    const served = new Set(createApp(createServices(config, background)).routes.map(({ path }) => path));
    const declared = jsonRoutes.map(({ path }) => honoPath(path));
    const unknown = [...served].filter(
      (path) => path !== MIDDLEWARE && !declared.includes(path) && !(path in ADDRESSES),
    );
    expect(unknown).toEqual([]);
    expect(Object.keys(ADDRESSES).filter((path) => !served.has(path))).toEqual([]);
  });

  it.each(["/mcp", "/mcp/notes"])("O01: %s lets nobody in without a credential", async (path) => {
    expect((await request(path, { method: "POST", body: "{}" })).status).toBe(401);
  });

  it("O01: /consent sends strangers to sign in, whatever credential of another kind they hold", async () => {
    const { key } = await newKey();
    for (const headers of [{}, { "x-api-key": key }]) {
      const answer = await request("/consent", { headers });
      expect(answer.status).toBeGreaterThanOrEqual(300);
      expect(await answer.text()).not.toContain("Allow</button>");
    }
  });

  it.each([
    "/api/auth/api-key/list",
    "/api/auth/organization/list",
    "/api/auth/admin/list-users",
    "/api/auth/oauth2/get-consents",
    "/api/auth/list-sessions",
  ])("O01: %s is for sessions, not for API keys", async (path) => {
    const { key } = await newKey();
    for (const headers of [{}, { "x-api-key": key }, { authorization: `Bearer ${key}` }]) {
      expect([401, 403, 404]).toContain((await request(path, { headers })).status);
    }
  });

  it.each(["/api/auth/token", "/api/auth/reference", "/api/auth/api-key/verify", "/.env", "/index.js.map"])(
    "S03: %s does not exist",
    async (path) => {
      expect((await request(path)).status).toBe(404);
    },
  );
});
