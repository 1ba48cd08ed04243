import { describe, expect, it } from "vitest";
import { newKey, origin, request, rpc } from "../../support/gateway.ts";
import { postForm } from "../../support/oauth.ts";

const ping = (path: string, key: string) => rpc("ping", {}, { path, key });

describe("an address with careless slashes", () => {
  it.each(["/mcp/", "//mcp", "/mcp//", "/mcp"])(
    "R22: %s is the MCP endpoint, and its challenge that of /mcp",
    async (path) => {
      const { key } = await newKey();
      expect((await ping(path, key)).status).toBe(200);
      const { response } = await rpc("ping", {}, { path });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain(
        `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
      );
    },
  );

  it.each(["/mcp/nobody/", "/mcp//nobody"])("R22: %s is the server's endpoint", async (path) => {
    const { response } = await rpc("ping", {}, { path });
    expect(response.headers.get("www-authenticate")).toContain("/oauth-protected-resource/mcp/nobody");
  });

  it.each([
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/mcp/notes",
    "/.well-known/oauth-authorization-server",
    "/api/v1/openapi.json",
  ])("%s is the same with a slash at the end, and with one doubled", async (path) => {
    const good = await (await request(path)).text();
    for (const other of [`${path}/`, `/${path}`, path.replace(/\/(?=[^/]*$)/, "//")]) {
      const answer = await request(other);
      expect([other, answer.status]).toEqual([other, 200]);
      expect(await answer.text()).toBe(good);
    }
  });

  it("of the registry is the same with a slash doubled", async () => {
    expect((await request("//v0.1/servers")).status).toBe(200);
    expect((await request("/v0.1//servers")).status).toBe(200);
  });

  it("of the registry is never led to another host", async () => {
    for (const path of ["//v0/servers/", "///v0.1/servers/?limit=1"]) {
      const answer = await request(path);
      expect(answer.headers.get("location") ?? "/v").toMatch(/^\/v/);
    }
  });

  it("is a page with the same protection", async () => {
    const policyOf = async (path: string) =>
      (await request(path)).headers.get("content-security-policy")?.replace(/nonce-[^']+/, "nonce");
    expect(await policyOf("//sign-in/")).toBe(await policyOf("/sign-in"));
    expect(await policyOf("/sign-in")).toContain("frame-ancestors 'none'");
    expect((await postForm("//sign-in", { email: "a@example.com", password: "x" })).status).toBe(403);
  });

  it("opens nothing that is closed", async () => {
    for (const path of ["//api/auth/oauth2/consent", "/api/auth//oauth2/consent/", "/api/auth/token/"])
      expect((await postForm(path, {})).status).toBe(404);
    expect((await request("//api/v1/keys")).status).toBe(401);
    // A URL that is made of the decoded path would lead past our own endpoints.
    for (const name of ["register", "token", "consent", "authenticate-client", "introspect"])
      for (const slash of ["%5C", "%5c", "%2F", "%255C", "\\"]) {
        const answer = await postForm(`/api/auth/oauth2${slash}${name}`, { grant_type: "authorization_code" });
        expect([slash, name, answer.status === 404 || slash === "\\"]).toEqual([slash, name, true]);
      }
  });
});
