import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/platform/crypto.ts";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, db, resetStats, stats, withFault } from "../../support/gateway.ts";
import { byBasic, postAs } from "../../support/managed-clients.ts";
import {
  codeFor,
  json,
  newClient,
  newPerson,
  redeem,
  REDIRECT,
  refresh,
  register,
  VERIFIER,
  type Parameters,
  type Tokens,
} from "../../support/oauth.ts";

async function newCode(): Promise<{ clientId: string; code: string }> {
  const clientId = await newClient();
  return { clientId, code: await codeFor(clientId, await newPerson()) };
}

const whoami = (token: string) => callTool("whoami", {}, { token });

/** What is wrong with a request for tokens; the rest is right. */
interface Mistake {
  secret?: string | undefined;
  changed?: Parameters;
}

interface SecretClient {
  id: string;
  secret: string | undefined;
}

/** A client that registers itself, with a secret unless it is a public one. */
async function newSecretClient(fields: Record<string, unknown>): Promise<SecretClient> {
  const usual = {
    client_name: "Test client",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
  };
  const answer = await json(await register({ ...usual, ...fields }));
  return { id: String(answer["client_id"]), secret: answer["client_secret"] as string | undefined };
}

/** Redeems a code with the client's secret in the header, or in the form. */
function redeemAs(
  { id, secret }: SecretClient,
  code: string,
  changed: Parameters = {},
  inForm = false,
): Promise<Response> {
  const sent =
    secret === undefined || inForm
      ? { fields: { client_id: id, client_secret: secret } }
      : byBasic({ clientId: id, clientSecret: secret });
  return postAs("token", sent, {
    grant_type: "authorization_code",
    code,
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
    ...changed,
  });
}

describe("an authorization code", () => {
  it("C12: redeemed eight times at once gives tokens exactly once and they work, in each of a hundred rounds", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser()];
    const unusable: unknown[] = [];
    for (let round = 0; round < 100; round++) {
      const code = await codeFor(clientId, person, {}, browser);
      const answers = await Promise.all(Array.from({ length: 8 }, () => redeem(clientId, code)));
      const bodies = await Promise.all(answers.map(json));
      const winners = bodies.filter((body) => typeof body["access_token"] === "string");
      expect(winners).toHaveLength(1);
      const losers = bodies.filter((body) => !winners.includes(body));
      expect(losers.map(({ error }) => error)).toEqual(Array.from({ length: 7 }, () => "invalid_grant"));
      const { status } = await whoami(String(winners[0]?.["access_token"]));
      const renewed = await refresh(clientId, String(winners[0]?.["refresh_token"]));
      if (status !== 200 || renewed.status !== 200) unusable.push({ round, status, refresh: renewed.status });
    }
    expect(unusable).toEqual([]);
  });

  it("C10: replayed once the redemption is over ends what it gave, however often it is tried", async () => {
    const { clientId, code } = await newCode();
    const tokens = await (await redeem(clientId, code)).json<Tokens>();
    const replays = await Promise.all(Array.from({ length: 4 }, () => redeem(clientId, code)));
    expect(replays.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect((await whoami(tokens.access_token)).status).toBe(401);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
  });

  it.each(["reset-before", "reset-after-commit", "500"].flatMap((mode) => [1, 2, 3].map((nth) => ({ mode, nth }))))(
    "survives Postgres failing with $mode at request $nth of its redemption: the retry works",
    async ({ mode, nth }) => {
      const { clientId, code } = await newCode();
      const answer = await withFault({ neon: { mode, nth } }, () => redeem(clientId, code));
      const settled = answer.status === 200 ? answer : await redeem(clientId, code);
      if (answer.status !== 200) expect(await json(answer)).toMatchObject({ error: "temporarily_unavailable" });
      expect(settled.status).toBe(200);
      const tokens = await settled.json<Tokens>();
      expect((await whoami(tokens.access_token)).status).toBe(200);
      expect((await redeem(clientId, code)).status).toBe(400);
      expect((await whoami(tokens.access_token)).status).toBe(401);
      const { rows } = await db.execute(sql`select 1 from oauth_refresh_token
      where authorization_code_id = ${await sha256(code)} and revoked is null`);
      expect(rows).toEqual([]);
    },
  );

  it.each(["reset-before", "reset-after-commit", "500"].flatMap((mode) => [1, 2, 3].map((nth) => ({ mode, nth }))))(
    "under Redis failing with $mode at request $nth gives tokens, or can be tried again, or is refused for good",
    async ({ mode, nth }) => {
      const { clientId, code } = await newCode();
      const answer = await withFault({ upstash: { mode, nth } }, () => redeem(clientId, code));
      if (answer.status === 200) {
        expect((await whoami(String((await json(answer))["access_token"]))).status).toBe(200);
        return;
      }
      expect(await json(answer)).toMatchObject({ error: "temporarily_unavailable" });
      const again = await redeem(clientId, code);
      // Only the loss of the answer that took the code leaves nothing to try with; nothing was issued for it then.
      if (mode === "reset-after-commit" && nth === 1) {
        expect(await json(again)).toMatchObject({ error: "invalid_grant" });
        const { rows } = await db.execute(
          sql`select 1 from oauth_refresh_token where authorization_code_id = ${await sha256(code)}`,
        );
        expect(rows).toEqual([]);
      } else {
        expect(again.status).toBe(200);
      }
    },
  );

  it("refused for a wrong verifier is used up, and ends nothing else", async () => {
    const { clientId, code } = await newCode();
    const wrong = await redeem(clientId, code, { code_verifier: "x".repeat(50) });
    expect(await json(wrong)).toMatchObject({ error: expect.stringMatching(/invalid_(grant|request)/) });
    expect((await redeem(clientId, code)).status).toBe(400);
  });

  const method = "client_secret_basic";
  const mistakes: [what: string, registered: Record<string, unknown>, wrong: Mistake, refused: RegExp][] = [
    [
      "with an empty secret in the header",
      { token_endpoint_auth_method: "client_secret_post" },
      { secret: "" },
      /^invalid_(client|request)$/,
    ],
    ["with a wrong secret", { token_endpoint_auth_method: method }, { secret: "wrong" }, /^invalid_client$/],
    ["without its secret", { token_endpoint_auth_method: method }, { secret: undefined }, /^invalid_(client|request)$/],
    ["for another resource", {}, { changed: { resource: "https://other.example.com/mcp" } }, /^invalid_target$/],
    ["without the redirect URI", {}, { changed: { redirect_uri: undefined } }, /^invalid_request$/],
  ];
  it.each(mistakes)(
    "presented %s is not used up: the right request gets tokens",
    async (_what, fields, wrong, refused) => {
      const client = await newSecretClient(fields);
      const code = await codeFor(client.id, await newPerson());
      const first = await redeemAs(
        { ...client, secret: "secret" in wrong ? wrong.secret : client.secret },
        code,
        wrong.changed,
      );
      expect((await json(first))["error"]).toMatch(refused);
      const second = await redeemAs(client, code, {}, fields["token_endpoint_auth_method"] === "client_secret_post");
      expect(second.status).toBe(200);
      expect((await whoami((await second.json<Tokens>()).access_token)).status).toBe(200);
      expect((await redeemAs(client, code)).status).toBe(400);
    },
  );

  it("is redeemed by the right one of two requests at once, whichever of them takes it first", async () => {
    const client = await newSecretClient({ token_endpoint_auth_method: "client_secret_basic" });
    const [person, browser] = [await newPerson(), formBrowser()];
    for (let round = 0; round < 5; round++) {
      const code = await codeFor(client.id, person, {}, browser);
      const wrong = { ...client, secret: "wrong" };
      const answers = await Promise.all([wrong, client, wrong].map((one) => redeemAs(one, code)));
      expect(answers[1]?.status).toBe(200);
      expect([answers[0]?.status, answers[2]?.status]).not.toContain(200);
    }
  });

  it.each([
    ["verifier", { code_verifier: "x".repeat(50) }],
    ["redirect URI", { redirect_uri: "https://other.example.com/callback" }],
  ])("presented with a wrong %s is used up, and the client is not told to wait", async (_what, changed) => {
    const { clientId, code } = await newCode();
    expect(await json(await redeem(clientId, code, changed))).toMatchObject({ error: "invalid_grant" });
    const again = await json(await redeem(clientId, code));
    expect(again["error"]).toBe("invalid_grant");
    expect(again["error_description"]).not.toContain("another request");
  });

  it("costs three statements and two Redis requests to get, once the person is signed in and has consented", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser()];
    await codeFor(clientId, person, {}, browser);
    await resetStats();
    await codeFor(clientId, person, {}, browser);
    const { log } = await stats();
    expect(log.filter(({ to }) => to === "neon").map(({ what }) => what)).toEqual([
      ["select oauth_client"],
      ["select session"],
      ["select oauth_consent"],
    ]);
    expect(log.filter(({ to }) => to === "upstash")).toHaveLength(2);
  });

  it("costs three statements, one of them to begin the grant, and three Redis requests to redeem", async () => {
    const warm = await newCode();
    await redeem(warm.clientId, warm.code);
    const { clientId, code } = await newCode();
    await resetStats();
    await redeem(clientId, code);
    const { log } = await stats();
    expect(log.filter(({ to }) => to === "neon").map(({ what }) => what)).toEqual([
      ["select oauth_client"],
      ["with insert oauth_access_token"],
      ["insert oauth_refresh_token"],
    ]);
    expect(log.filter(({ to }) => to === "upstash")).toHaveLength(3);
  });
});
