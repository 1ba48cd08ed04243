import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { hiddenFields, textOf, type FormBrowser, type Page } from "../../support/browsing.ts";
import { appsPage, browserOf, disconnect, DISCONNECT, whoami } from "../../support/dashboard.ts";
import { db, resetStats, stats, withFault } from "../../support/gateway.ts";
import { codeFor, newClient, newPerson, redeem, refresh, tokensFor, type Tokens } from "../../support/oauth.ts";

const consentsOf = async (clientId: string) =>
  (await db.execute(sql`select user_id from oauth_consent where client_id = ${clientId}`)).rows;

describe("disconnecting under faults and races", () => {
  async function connected(): Promise<{ clientId: string; tokens: Tokens; browser: FormBrowser; page: Page }> {
    const person = await newPerson();
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, person);
    const browser = await browserOf(person);
    return { clientId, tokens, browser, page: await appsPage(browser) };
  }

  it("B11: while Postgres fails nothing has changed, and the next try works", async () => {
    const { clientId, tokens, browser, page } = await connected();
    const failed = await withFault({ neon: { mode: "down" } }, () => disconnect(browser, page));
    expect([failed.status, failed.headers.has("retry-after")]).toEqual([503, true]);
    expect(await whoami(tokens.access_token)).toBe(200);
    expect(await consentsOf(clientId)).toHaveLength(1);
    expect((await disconnect(browser, page)).status).toBe(200);
    expect(await whoami(tokens.access_token)).toBe(401);
  });

  it.each([
    ["neon", "reset-after-commit", 2],
    ["upstash", "reset-before", 2],
    ["upstash", "reset-after-commit", 2],
    ["upstash", "500", 2],
  ])(
    "B11: a fault of %s (%s at request %i) is a 503, and the same form sent again finishes it",
    async (part, mode, nth) => {
      const { clientId, tokens, browser, page } = await connected();
      const failed = await withFault({ [part]: { mode, nth } }, () => disconnect(browser, page));
      expect([failed.status, failed.headers.has("retry-after")]).toEqual([503, true]);
      expect(textOf(failed.html)).toContain("Reload this page to finish disconnecting it.");
      expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
      expect((await disconnect(browser, page)).status).toBe(200);
      expect(await whoami(tokens.access_token)).toBe(401);
      expect(await consentsOf(clientId)).toEqual([]);
    },
  );

  it("costs one transaction and one Redis request beside the look at the session", async () => {
    const { browser, page } = await connected();
    await resetStats();
    await browser.send(DISCONNECT, {
      method: "POST",
      headers: { origin: "null", "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(hiddenFields(page, DISCONNECT)).toString(),
    });
    const { sqlRequests, redisRequests } = await stats();
    expect({ sqlRequests, redisRequests }).toEqual({ sqlRequests: 2, redisRequests: 2 });
  });

  const wait = (milliseconds: number) => new Promise((next) => setTimeout(next, milliseconds));
  /** Milliseconds by which the disconnect starts later, over the rounds: all that issuing can be in the middle of. */
  const offset = (round: number) => (round % 10) * 3;

  /** What works of an answer of the token endpoint. */
  async function worksOf(clientId: string, answer: Response): Promise<string[]> {
    expect([200, 400, 503]).toContain(answer.status);
    if (answer.status !== 200) return [];
    const tokens = await answer.json<Tokens>();
    const works: string[] = [];
    if ((await whoami(tokens.access_token)) === 200) works.push("access token");
    const renewed = await refresh(clientId, tokens.refresh_token);
    if (renewed.status === 200) works.push("refresh token");
    return works;
  }

  it("B11: a refresh that meets it leaves nothing that works, in each of twenty rounds", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const browser = await browserOf(person);
    const left: unknown[] = [];
    for (let round = 0; round < 20; round++) {
      const code = await codeFor(clientId, person, {}, browser);
      const tokens = await (await redeem(clientId, code)).json<Tokens>();
      const page = await appsPage(browser);
      const refreshing = refresh(clientId, tokens.refresh_token);
      await wait(offset(round));
      await disconnect(browser, page);
      const works = await worksOf(clientId, await refreshing);
      if ((await whoami(tokens.access_token)) === 200) works.push("first access token");
      if (works.length > 0) left.push({ round, works });
    }
    expect(left).toEqual([]);
  });

  it("B11: a code that is redeemed meanwhile leaves nothing that works, in each of twenty rounds", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const browser = await browserOf(person);
    const left: unknown[] = [];
    for (let round = 0; round < 20; round++) {
      const code = await codeFor(clientId, person, {}, browser);
      const page = await appsPage(browser);
      const redeeming = redeem(clientId, code);
      await wait(offset(round));
      await disconnect(browser, page);
      const answer = await redeeming;
      // What the refresh token can do shows when the app is connected again: an old token must not live by the new consent.
      await codeFor(clientId, person, {}, browser);
      const works = await worksOf(clientId, answer);
      if (works.length > 0) left.push({ round, works });
    }
    expect(left).toEqual([]);
  });
});
