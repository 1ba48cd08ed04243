import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, rpc } from "../../support/gateway.ts";
import {
  adminCodeFor,
  claimsOf,
  codeFor,
  gatewayWith,
  json,
  later,
  newClient,
  newPerson,
  redeem,
  tokensFor,
} from "../../support/oauth.ts";
import { setRole } from "../../support/managed-clients.ts";

describe("at /mcp", () => {
  const statusWith = async (token: string) => {
    const { status, response } = await rpc("tools/list", {}, { token });
    if (status === 401) expect(response.headers.get("www-authenticate")).toContain('error="invalid_token"');
    return status;
  };

  it("J02: the scope admin is given to administrators only, whatever a person consents to", async () => {
    const clientId = await newClient();
    const code = await codeFor(clientId, await newPerson(), { scope: "mcp:tools admin" });
    expect((await json(await redeem(clientId, code)))["scope"]).toBe("mcp:tools offline_access");
    // Somebody who was an administrator at consent, and is none when the client comes for the token.
    const person = await newPerson();
    const granted = await adminCodeFor(clientId, person, "mcp:tools admin");
    await setRole(person.id, "user");
    const refused = await redeem(clientId, granted);
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ error: "invalid_scope" });
  });

  it("C18: a token with a changed claim, another signature, or none, is refused", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const [header = "", claims = "", signature = ""] = token.split(".");
    const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const admin = encoded({ ...claimsOf(token), scope: "admin mcp:tools" });
    const none = encoded({ alg: "none", typ: "at+jwt" });
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string };
    const sign = (fields: object) =>
      new SignJWT(claimsOf(token)).setProtectedHeader({ alg: "ES256", typ: "at+jwt", ...fields }).sign(privateKey);
    for (const forged of [
      `${header}.${admin}.${signature}`,
      `${none}.${claims}.`,
      `${none}.${admin}.${signature}`,
      `${header}.${claims}.${"A".repeat(86)}`,
      await sign({ kid }),
      await sign({ kid: "unknown" }),
      await sign({ kid, jwk: await exportJWK(publicKey) }),
    ]) {
      expect(await statusWith(forged)).toBe(401);
    }
    expect(await statusWith(token)).toBe(200);
  });

  it("C18: a token of another issuer on the same keys is refused", async () => {
    const elsewhere = "https://other.example.com";
    const gateway = gatewayWith({ BASE_URL: elsewhere });
    const [clientId, person] = [await newClient({}, gateway), await newPerson()];
    const code = await codeFor(clientId, person, {}, formBrowser(gateway, elsewhere));
    const tokens = await json(await redeem(clientId, code, {}, gateway));
    expect(claimsOf(String(tokens["access_token"]))["iss"]).toBe(elsewhere);
    expect(await statusWith(String(tokens["access_token"]))).toBe(401);
  });

  it("R23: a token is refused once ACCESS_TOKEN_TTL and the leeway of 30 seconds are over", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    expect(await later(925, () => statusWith(token))).toBe(200);
    expect(await later(935, () => statusWith(token))).toBe(401);
    const { error } = await later(935, () => callTool("echo", { text: "x" }, { token }));
    expect(error?.message).toContain("expired");
  });
});
