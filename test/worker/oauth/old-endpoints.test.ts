import { describe, expect, it } from "vitest";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, origin, request } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  json,
  newClient,
  newPerson,
  postForm,
  REDIRECT,
  register,
  VERIFIER,
} from "../../support/oauth.ts";

/** Clients that predate discovery (MCP 2025-03-26) build their endpoints from the origin, or from the address of /mcp. */
describe.each(["", "/mcp"])("endpoints under %j", (base) => {
  it("R20: R21: register, sign in and redeem like the discovered ones", async () => {
    const answer = await register({ redirect_uris: [REDIRECT] }, request, `${base}/register`);
    expect(answer.status).toBe(201);
    const clientId = String((await json(answer))["client_id"]);
    const path = authorizePath(clientId, { scope: "mcp:tools" }, `${base}/authorize`);
    const location = await authorize(formBrowser(), path, await newPerson());
    expect(location.searchParams.get("iss")).toBe(origin);
    const redeemed = await postForm(`${base}/token`, {
      grant_type: "authorization_code",
      client_id: clientId,
      code: location.searchParams.get("code") ?? "",
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
    });
    expect(redeemed.status).toBe(200);
    expect(redeemed.headers.get("cache-control")).toContain("no-store");
    const { result } = await callTool("whoami", {}, { token: String((await json(redeemed))["access_token"]) });
    expect(result?.structuredContent).toMatchObject({ credential: "access_token", clientId });
  });

  it("refuse like the discovered ones", async () => {
    const unregistered = authorizePath(
      await newClient(),
      { redirect_uri: "https://evil.example.com/" },
      `${base}/authorize`,
    );
    const answer = await request(unregistered);
    expect(answer.headers.get("location")).toMatch(new RegExp(`^${origin}/error\\?error=invalid_redirect`));
    expect((await register("[]", request, `${base}/register`)).status).toBe(400);
    const refused = await postForm(`${base}/token`, { grant_type: "password" });
    expect([refused.status, await json(refused)]).toEqual([
      400,
      expect.objectContaining({ error: "unsupported_grant_type" }),
    ]);
  });

  it.each(["token", "register"])("may be asked from other origins: %s", async (name) => {
    const headers = { origin: "https://client.example.com", "access-control-request-method": "POST" };
    const preflight = await request(`${base}/${name}`, { method: "OPTIONS", headers });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
  });

  it.each(["token", "register"])("take posts only: %s", async (name) => {
    expect([404, 405]).toContain((await request(`${base}/${name}`)).status);
  });
});
