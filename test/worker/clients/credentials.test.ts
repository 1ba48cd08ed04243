import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { auditLog } from "../../../src/audit/schema.ts";
import { addUpstream, callTool, db, eventually, newUser, origin, rpc, upstreams } from "../../support/gateway.ts";
import { AUTH, claimsOf, json, newClient, postForm, REDIRECT, register } from "../../support/oauth.ts";
import { byBasic, clientToken, CLIENTS, manage, newManagedClient } from "../../support/managed-clients.ts";

async function expectRefused(answer: Response, error: string, status = 400): Promise<void> {
  expect([answer.status, await json(answer)]).toEqual([status, { error, error_description: expect.any(String) }]);
  expect(answer.headers.get("cache-control")).toContain("no-store");
}

const tokenOf = async (answer: Response) => String((await json(answer))["access_token"]);

describe("a client for itself", () => {
  it("R21: gets a token for /mcp that acts in its tenant, and no refresh token", async () => {
    const client = await newManagedClient();
    const answer = await clientToken(byBasic(client));
    const body = await json(answer);
    expect([answer.status, body]).toEqual([
      200,
      {
        access_token: expect.any(String),
        token_type: "Bearer",
        scope: "mcp:tools",
        expires_in: 900,
        expires_at: expect.any(Number),
      },
    ]);
    expect(claimsOf(String(body["access_token"]))).toMatchObject({
      iss: origin,
      aud: `${origin}/mcp`,
      sub: client.clientId,
      client_id: client.clientId,
      tenant: client.tenantId,
      grant: expect.stringMatching(/^client-/),
      scope: "mcp:tools",
    });
    const who = await callTool("whoami", {}, { token: String(body["access_token"]) });
    expect(who.result?.structuredContent).toMatchObject({
      userId: `client:${client.clientId}`,
      tenantId: client.tenantId,
      scopes: ["mcp:tools"],
      credential: "access_token",
      clientId: client.clientId,
    });
  });

  it("R11: is who the audit log says has called", async () => {
    const client = await newManagedClient();
    await callTool("echo", { text: "x" }, { token: await tokenOf(await clientToken(byBasic(client))) });
    const entry = await eventually(
      async () =>
        (
          await db
            .select()
            .from(auditLog)
            .where(sql`client_id = ${client.clientId}`)
        )[0],
    );
    expect(entry).toMatchObject({
      event: "mcp.tools/call",
      outcome: "ok",
      tenantId: client.tenantId,
      userId: `client:${client.clientId}`,
      credentialKind: "access_token",
    });
  });

  it("gets a token for one server of its tenant, which is good there only", async () => {
    const { tenantId } = await newUser();
    await addUpstream(tenantId, "notes", upstreams.notes);
    const client = await newManagedClient({ clientCredentialsScopes: ["mcp:tools"], tenantId });
    const token = await tokenOf(await clientToken(byBasic(client), { resource: `${origin}/mcp/notes` }));
    expect((await rpc("tools/list", {}, { token, path: "/mcp/notes" })).status).toBe(200);
    expect((await rpc("tools/list", {}, { token })).status).toBe(401);
  });

  it("gets the scopes that it asks for, of those that its administrator allows", async () => {
    const clientCredentialsScopes = ["mcp:tools", "mcp-registry:read"];
    const client = await newManagedClient({ clientCredentialsScopes, tenantId: (await newUser()).tenantId });
    const scopeOf = async (scope?: string) => (await json(await clientToken(byBasic(client), { scope })))["scope"];
    expect(await scopeOf("mcp-registry:read  mcp-registry:read")).toBe("mcp-registry:read");
    expect(await scopeOf("")).toBe("mcp:tools mcp-registry:read");
    expect(await scopeOf()).toBe("mcp:tools mcp-registry:read");
    for (const scope of ["audit:read", "admin", "openid", "mcp:tools offline_access", "nonsense"])
      await expectRefused(await clientToken(byBasic(client), { scope }), "invalid_scope");
  });

  it.each([
    ["of another origin", ["https://evil.example.com/mcp"]],
    ["beside another", [`${origin}/mcp`, `${origin}/mcp/notes`]],
    ["of a reserved name", [`${origin}/mcp/token`]],
  ])("C13: gets no token for a resource %s", async (_what, resource) => {
    const client = await newManagedClient();
    await expectRefused(await clientToken(byBasic(client), { resource }), "invalid_target");
  });

  it("gets nothing more when its tenant is gone", async () => {
    const client = await newManagedClient();
    await db.execute(sql`delete from organization where id = ${client.tenantId}`);
    await expectRefused(await clientToken(byBasic(client)), "unauthorized_client");
  });

  it("C14: is not what a registered client is, public or with a secret, nor a managed one without an account", async () => {
    const grant = { grant_type: "client_credentials" };
    const publicClient = await newClient();
    await expectRefused(
      await postForm(`${AUTH}/oauth2/token`, { ...grant, client_id: publicClient }),
      "unauthorized_client",
    );
    const registered = await json(
      await register({ redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_basic" }),
    );
    const withSecret = { clientId: String(registered["client_id"]), clientSecret: String(registered["client_secret"]) };
    await expectRefused(await clientToken(byBasic(withSecret)), "unauthorized_client");
    const forPeople = await newManagedClient({ redirectUris: [REDIRECT] });
    await expectRefused(await clientToken(byBasic(forPeople)), "unauthorized_client");
    const unknown = await postForm(`${AUTH}/oauth2/token`, { ...grant, client_id: "nobody" });
    expect([unknown.status, await json(unknown)]).toMatchObject([401, { error: "invalid_client" }]);
  });

  it("C14: gets nothing from a row that gives a stranger's client the grant", async () => {
    const registered = await json(
      await register({ redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_basic" }),
    );
    const client = { clientId: String(registered["client_id"]), clientSecret: String(registered["client_secret"]) };
    await db.execute(sql`update oauth_client set grant_types = '{client_credentials}', client_credentials_scopes = '{mcp:tools}'
      where client_id = ${client.clientId}`);
    await expectRefused(await clientToken(byBasic(client)), "unauthorized_client");
  });

  it.each([
    ["disabled", "PATCH", "", { disabled: true }],
    ["deleted", "DELETE", "", undefined],
    ["given another secret", "POST", "/secret", undefined],
    ["given fewer scopes", "PATCH", "", { clientCredentialsScopes: ["audit:read"] }],
  ])("R9: loses its token before the answer when it is %s", async (_what, method, path, body) => {
    const client = await newManagedClient();
    const token = await tokenOf(await clientToken(byBasic(client)));
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
    expect((await manage(method, `${CLIENTS}/${client.clientId}${path}`, body)).status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(401);
  });

  it("goes on when it is enabled again, with new tokens only", async () => {
    const client = await newManagedClient();
    const before = await tokenOf(await clientToken(byBasic(client)));
    await manage("PATCH", `${CLIENTS}/${client.clientId}`, { disabled: true });
    await expectRefused(await clientToken(byBasic(client)), "invalid_client", 401);
    await manage("PATCH", `${CLIENTS}/${client.clientId}`, { disabled: false });
    const after = await tokenOf(await clientToken(byBasic(client)));
    expect((await callTool("echo", { text: "x" }, { token: after })).status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { token: before })).status).toBe(401);
  });
});
