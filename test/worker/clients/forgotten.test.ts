import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, request } from "../../support/gateway.ts";
import {
  form,
  AUTH,
  codeFor,
  json,
  newClient,
  newPerson,
  postForm,
  redeem,
  refresh,
  tokensFor,
} from "../../support/oauth.ts";

const forget = (clientId: string) => db.execute(sql`delete from oauth_client where client_id = ${clientId}`);
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** What a client needs to hear: libraries register again at this error, and at no other. */
async function expectForgotten(answer: Response): Promise<void> {
  expect(answer.status).toBe(401);
  expect(await json(answer)).toMatchObject({
    error: "invalid_client",
    error_description: expect.stringContaining("Register it again"),
  });
}

describe("a client whose registration was deleted", () => {
  it("is told so when it refreshes", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const { refresh_token: token } = await tokensFor(clientId, person);
    await forget(clientId);
    await expectForgotten(await refresh(clientId, token));
  });

  it("is told so when it redeems a code", async () => {
    const clientId = await newClient();
    const code = await codeFor(clientId, await newPerson());
    await forget(clientId);
    await expectForgotten(await redeem(clientId, code));
    await expectForgotten(await redeem(clientId, "a".repeat(32)));
  });

  it("is told so when its device polls, and when it asks for a device code", async () => {
    const clientId = await newClient({ grant_types: [DEVICE_GRANT, "refresh_token"], redirect_uris: [] });
    const asked = await json(await postForm(`${AUTH}/device/code`, { client_id: clientId, scope: "mcp:tools" }));
    await forget(clientId);
    const poll = { grant_type: DEVICE_GRANT, client_id: clientId, device_code: String(asked["device_code"]) };
    await expectForgotten(await postForm(`${AUTH}/oauth2/token`, poll));
    const again = await postForm(`${AUTH}/device/code`, { client_id: clientId, scope: "mcp:tools" });
    expect(await json(again)).toMatchObject({ error: "invalid_client" });
  });

  it("is told so whether it names itself in the form or by HTTP Basic", async () => {
    const answer = await fetchToken("Basic " + btoa("nobody:secret"));
    expect(answer.headers.get("www-authenticate")).toBe("Basic");
    await expectForgotten(answer);
  });
});

describe("a client id with a NUL character", () => {
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const assertion = `${encoded({ alg: "ES256" })}.${encoded({ sub: "a\u0000b" })}.c2ln`;
  const byAssertion = {
    client_assertion: assertion,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  };

  it.each(["token", "revoke", "introspect"])(
    "is refused at the %s endpoint as the client's mistake, not as ours",
    async (name) => {
      for (const grantType of ["refresh_token", "authorization_code", "client_credentials"]) {
        const fields = { grant_type: grantType, refresh_token: "x", code: "a".repeat(32), token: "x" };
        const basic = {
          authorization: `Basic ${btoa("a%00b:secret")}`,
          "content-type": "application/x-www-form-urlencoded",
        };
        const answers = [
          await request(`${AUTH}/oauth2/${name}`, { method: "POST", headers: basic, body: form(fields) }),
          await postForm(`${AUTH}/oauth2/${name}`, { ...fields, ...byAssertion }),
        ];
        for (const answer of answers)
          expect([answer.status, await json(answer)]).toMatchObject([401, { error: "invalid_client" }]);
      }
    },
  );
});

describe("a client that is registered", () => {
  it("is not told to register again, whatever is wrong with its token or code", async () => {
    const clientId = await newClient();
    for (const answer of [await refresh(clientId, "unknown"), await redeem(clientId, "a".repeat(32))])
      expect(await json(answer)).toMatchObject({ error: "invalid_grant" });
  });

  it("nor when its id is the address of its metadata document, which nobody has to remember", async () => {
    const answer = await refresh("https://app.example.com/client.json", "unknown");
    expect(await json(answer)).toMatchObject({ error: "invalid_grant" });
  });
});

const fetchToken = (authorization: string): Promise<Response> =>
  request(`${AUTH}/oauth2/token`, {
    method: "POST",
    headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
    body: "grant_type=refresh_token&refresh_token=unknown",
  });
