import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { formBrowser, pageOf } from "../../support/browsing.ts";
import { callTool, db, request, withFault } from "../../support/gateway.ts";
import {
  AUTH,
  authorizePath,
  codeFor,
  json,
  newClient,
  newPerson,
  postForm,
  REDIRECT,
  redeem,
  refresh,
  register,
  tokensFor,
} from "../../support/oauth.ts";

/** What an answer would hold if a failure showed through. */
const INSIDES = /select|insert|oauth_|\.ts|\.mjs|at async|neon|upstash|syntax|<html|127\.0\.0\.1/i;

/** What a client must be told of a fault that is ours: keep what you have, come again. */
async function expectUnavailable(answer: Response): Promise<void> {
  const text = await answer.text();
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
  expect(JSON.parse(text)).toEqual({ error: "temporarily_unavailable", error_description: expect.any(String) });
  expect(answer.headers.get("cache-control")).toContain("no-store");
  expect(text).not.toMatch(INSIDES);
  expect(answer.headers.get("set-cookie")).toBeNull();
}

const MODES = ["down", "500", "reset-before", "reset-after-commit"];

describe.each(["neon", "upstash"].flatMap((part) => MODES.map((mode) => ({ part, mode }))))(
  "while $part fails with $mode",
  ({ part, mode }) => {
    const fault = { [part]: { mode } };

    it("registration, authorization, revocation and user information say that they are unavailable, if they are", async () => {
      const clientId = await newClient();
      const { access_token: token, refresh_token } = await tokensFor(clientId, await newPerson());
      await withFault(fault, async () => {
        const [registered, asked] = [
          await register({ redirect_uris: [REDIRECT] }),
          await request(authorizePath(clientId)),
        ];
        if (part === "neon") {
          await expectUnavailable(registered);
          await expectUnavailable(asked);
        } else {
          expect([registered.status, asked.status]).toEqual([201, 302]);
        }
        await expectUnavailable(await postForm(`${AUTH}/oauth2/revoke`, { token: refresh_token, client_id: clientId }));
        const headers = { authorization: `Bearer ${token}` };
        await expectUnavailable(await request(`${AUTH}/oauth2/userinfo`, { headers }));
      });
    });

    it("no code and no refresh token is called invalid", async () => {
      const [clientId, person] = [await newClient(), await newPerson()];
      const tokens = await tokensFor(clientId, person);
      const code = await codeFor(clientId, person);
      await withFault(fault, async () => {
        await expectUnavailable(await redeem(clientId, code));
        const refreshed = await refresh(clientId, tokens.refresh_token);
        if (part === "neon") await expectUnavailable(refreshed);
        else expect(refreshed.status).toBe(200);
      });
      const again = await refresh(clientId, tokens.refresh_token);
      expect([200, 503]).toContain(again.status);
    });

    it("a session is not lost", async () => {
      const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser()];
      await codeFor(clientId, person, {}, browser);
      const cookies = new Map(browser.cookies);
      const failed = await withFault(fault, async () => pageOf(await browser.open(authorizePath(clientId))));
      expect(failed.status).toBe(503);
      expect(failed.headers.get("retry-after")).not.toBeNull();
      expect(browser.cookies).toEqual(cookies);
      expect("leftFor" in (await browser.open(authorizePath(clientId)))).toBe(true);
    });
  },
);

describe.each(["neon", "upstash"])("while %s answers garbage", (part) => {
  it("registration and tokens are refused as our failure where they need it, and nothing of it shows", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const { refresh_token: token } = await tokensFor(clientId, person);
    const code = await codeFor(clientId, person);
    await withFault({ [part]: { mode: "garbage" } }, async () => {
      const redeemed = await redeem(clientId, code);
      const others = [await register({ redirect_uris: [REDIRECT] }), await refresh(clientId, token)];
      if (part === "upstash") expect(others.map(({ status }) => status)).toEqual([201, 200]);
      for (const answer of part === "neon" ? [redeemed, ...others] : [redeemed]) {
        const text = await answer.text();
        expect([500, 503]).toContain(answer.status);
        expect(["server_error", "temporarily_unavailable"]).toContain((JSON.parse(text) as { error: string }).error);
        expect(text).not.toMatch(INSIDES);
      }
    });
  });
});

describe("a fault at one statement", () => {
  it("of a registration leaves no client behind that could be used, and the next try works", async () => {
    for (const nth of [1, 2]) {
      const marker = `https://${crypto.randomUUID()}.example.com/callback`;
      const uris = [marker, "cursor://anysphere.cursor-mcp/oauth/callback"];
      const answer = await withFault({ neon: { mode: "reset-before", nth } }, () => register({ redirect_uris: uris }));
      await expectUnavailable(answer);
      const { rows } = await db.execute(
        sql`select redirect_uris from oauth_client where ${marker} = any(redirect_uris)`,
      );
      for (const row of rows) expect(row["redirect_uris"]).toEqual([marker]);
      expect((await register({ redirect_uris: uris })).status).toBe(201);
    }
  });

  it.each([1, 2, 3, 4, 5, 6])("of a redemption is never called an invalid grant: statement %i", async (nth) => {
    const clientId = await newClient();
    const code = await codeFor(clientId, await newPerson());
    const answer = await withFault({ neon: { mode: "reset-before", nth } }, () => redeem(clientId, code));
    if (answer.status === 200) {
      const { access_token: token } = await json(answer);
      expect((await callTool("echo", { text: "x" }, { token: String(token) })).status).toBe(200);
    } else {
      await expectUnavailable(answer);
    }
  });
});

describe("discovery", () => {
  it("answers while Postgres and Redis are down", async () => {
    await request("/.well-known/oauth-authorization-server");
    await withFault({ neon: { mode: "down" }, upstash: { mode: "down" } }, async () => {
      for (const path of ["oauth-authorization-server", "oauth-protected-resource/mcp"])
        expect((await request(`/.well-known/${path}`)).status).toBe(200);
    });
  });
});
