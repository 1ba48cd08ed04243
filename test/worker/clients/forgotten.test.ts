import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, request } from "../../support/gateway.ts";
import {
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
