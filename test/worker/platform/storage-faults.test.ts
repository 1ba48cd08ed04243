import { eq, sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { session as sessionTable } from "../../../src/identity/schema.ts";
import { connectRedis, redisKeys } from "../../../src/platform/redis/redis.ts";
import { isSignedIn, postWithin } from "../../support/account-forms.ts";
import { newEmail, postJson, signIn } from "../../support/accounts.ts";
import { formBrowser, pageOf, type FormBrowser } from "../../support/browsing.ts";
import { config, db, origin, request, resetStats, stats, withFault } from "../../support/gateway.ts";
import {
  AUTH,
  gatewayWith,
  json,
  later,
  newPerson,
  PASSWORD,
  postForm,
  REDIRECT,
  register,
} from "../../support/oauth.ts";

const WRONG = "wrong password here";
const MODES = ["down", "500", "reset-before", "reset-after-commit", "garbage"];
const DOWN = { upstash: { mode: "down" } };
const BOTH_DOWN = { upstash: { mode: "down" }, neon: { mode: "down" } };

const attempt = (email: string, password = WRONG, address?: string) =>
  postJson("/sign-in/email", { email, password }, { origin, ...(address && { "cf-connecting-ip": address }) });

/** Somebody with two browsers in which they are signed in. */
async function settledPerson() {
  const [person, browser, other] = [await newPerson(), formBrowser(), formBrowser()];
  for (const one of [browser, other]) await signIn(one, person.email);
  return { ...person, browser, other };
}

const countOfSessions = async (userId: string) =>
  (await db.select({ id: sessionTable.id }).from(sessionTable).where(eq(sessionTable.userId, userId))).length;

const dashboardOf = async (browser: FormBrowser) => pageOf(await browser.open("/dashboard/sessions"));

describe.each(MODES)("while Redis fails with %s", (mode) => {
  const fault = { upstash: { mode } };

  it("M06: nobody is signed out, and people sign in and out", async () => {
    const { email, browser, other } = await settledPerson();
    const cookies = new Map(browser.cookies);
    const fresh = formBrowser();
    await withFault(fault, async () => {
      const page = await dashboardOf(browser);
      expect([page.status, page.url.pathname]).toEqual([200, "/dashboard/sessions"]);
      expect((await signIn(fresh, email)).status).toBe(200);
      expect(await isSignedIn(fresh)).toBe(true);
      expect((await postWithin(other, "/sign-out", {})).status).toBe(200);
    });
    expect(browser.cookies).toEqual(cookies);
    expect([await isSignedIn(browser), await isSignedIn(fresh), await isSignedIn(other)]).toEqual([true, true, false]);
  });

  it("M06: I03: guesses at an account are counted in Postgres, also at the same moment, and a right one is not", async () => {
    const [{ email }, bystander] = [await newPerson(), await newPerson()];
    await withFault(fault, async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => attempt(email)));
      // What Redis has counted before it lost its answer is counted again: never fewer.
      expect(answers.filter(({ status }) => status === 401).length).toBe(5);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
      const refused = await attempt(email, PASSWORD);
      const wait = Number(refused.headers.get("retry-after"));
      expect([refused.status, wait > 0 && wait <= 900]).toEqual([429, true]);
      expect((await attempt(bystander.email, PASSWORD)).status).toBe(200);
    });
  });
});

describe("while Redis is down", () => {
  it("M06: I04: the limit of an address is counted in Postgres, to the same number", async () => {
    const headers = { origin, "cf-connecting-ip": "192.0.2.77" };
    const statuses = await withFault(DOWN, () =>
      Promise.all(
        Array.from({ length: 14 }, async () => {
          const answer = await postJson("/request-password-reset", { email: newEmail() }, headers);
          return [answer.status, answer.headers.get("retry-after")].join(" ");
        }),
      ),
    );
    expect(statuses.filter((status) => status === "200 ")).toHaveLength(10);
    expect(statuses.filter((status) => status === "429 60")).toHaveLength(4);
  });

  it("right passwords are not counted beside wrong ones", async () => {
    const { email } = await newPerson();
    await withFault(DOWN, async () => {
      for (let time = 0; time < 8; time++) expect((await attempt(email, PASSWORD)).status).toBe(200);
    });
  });

  it("M06: after five faults nothing is asked of it, for ten seconds, and then by one request at first", async () => {
    const { browser } = await settledPerson();
    await withFault({ upstash: { mode: "500" } }, async () => {
      for (let time = 0; time < 5; time++) await isSignedIn(browser);
      await resetStats();
      expect(await isSignedIn(browser)).toBe(true);
      expect((await dashboardOf(browser)).status).toBe(200);
      expect((await stats()).redisRequests).toBe(0);
      await later(11, async () => {
        expect(await Promise.all([1, 2, 3].map(() => isSignedIn(browser)))).toEqual([true, true, true]);
      });
      expect((await stats()).redisRequests).toBe(1);
    });
    // The failed probe was sent eleven seconds from now.
    await later(22, () => isSignedIn(browser));
    await resetStats();
    expect(await isSignedIn(browser)).toBe(true);
    expect((await stats()).redisRequests).toBe(1);
  });

  it("M06: while it is only slow, people wait for it five times at most", async () => {
    const { cookies } = (await settledPerson()).browser;
    const browser = formBrowser(gatewayWith({ REDIS_TIMEOUT_MS: "300" }));
    for (const [name, value] of cookies) browser.cookies.set(name, value);
    await withFault({ upstash: { latencyMs: 1_500 } }, async () => {
      const all = await Promise.all([1, 2, 3, 4, 5].map(() => isSignedIn(browser)));
      expect(all).toEqual([true, true, true, true, true]);
      await resetStats();
      expect(await isSignedIn(browser)).toBe(true);
      expect((await stats()).redisRequests).toBe(0);
    });
  });
});

describe("while neither Redis nor Postgres answers", () => {
  it.each([
    ["sign-in", () => attempt(newEmail())],
    ["sign-up", () => postJson("/sign-up/email", { email: newEmail(), password: PASSWORD, name: "x" })],
    ["a lost password", () => postJson("/request-password-reset", { email: newEmail() })],
    ["registration", () => register({ redirect_uris: [REDIRECT] })],
    ["a token", () => postForm(`${AUTH}/oauth2/token`, { grant_type: "refresh_token", refresh_token: "x" })],
    ["a device", () => postForm(`${AUTH}/device/code`, { client_id: "x" })],
    ["a session", () => request(`${AUTH}/get-session`, { headers: { cookie: "mrg.session_token=x.y" } })],
  ])("M06: %s is refused as our failure, with the time to come again", async (_what, send) => {
    const answer = await withFault(BOTH_DOWN, send);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await json(answer)).toMatchObject({ error: "temporarily_unavailable" });
    expect(answer.headers.get("set-cookie")).toBeNull();
  });

  it("M06: discovery and the public keys are there, and so is a page that says so", async () => {
    const { browser } = await settledPerson();
    const paths = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", `${AUTH}/jwks`];
    for (const path of paths) await request(path);
    const cookies = new Map(browser.cookies);
    await withFault(BOTH_DOWN, async () => {
      for (const path of paths) expect((await request(path)).status).toBe(200);
      const page = await dashboardOf(browser);
      expect([page.status, page.headers.has("retry-after")]).toEqual([503, true]);
    });
    expect(browser.cookies).toEqual(cookies);
    expect(await isSignedIn(browser)).toBe(true);
  });
});

describe("the end of a session", () => {
  it.each(["/sign-out", "/revoke-sessions"])(
    "H04: by %s while Redis is down stands when Redis is back",
    async (path) => {
      const { browser } = await settledPerson();
      const copy = formBrowser();
      for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
      expect(await isSignedIn(copy)).toBe(true);
      expect((await withFault(DOWN, () => postWithin(browser, path, {}))).status).toBe(200);
      expect(await isSignedIn(copy)).toBe(false);
    },
  );

  it("H06: of all others by the framework's own address while Redis is down leaves this one", async () => {
    const { id, browser, other } = await settledPerson();
    expect((await withFault(DOWN, () => postWithin(browser, "/revoke-other-sessions", {}))).status).toBe(200);
    expect([await isSignedIn(browser), await isSignedIn(other), await countOfSessions(id)]).toEqual([true, false, 1]);
  });

  it("H04: is not undone by a copy in Redis", async () => {
    const { id, browser } = await settledPerson();
    const [row] = await db.select().from(sessionTable).where(eq(sessionTable.userId, id)).limit(1);
    const token = row?.token ?? "";
    const kept = await (await browser.send("/api/auth/get-session")).json<object>();
    await connectRedis(config).set(redisKeys.auth(token), JSON.stringify(kept), { ex: 600 });
    await db.delete(sessionTable).where(eq(sessionTable.userId, id));
    expect(await isSignedIn(browser)).toBe(false);
  });

  it.each(["reset-before", "reset-after-commit"].flatMap((mode) => [1, 2, 3, 4, 5].map((nth) => ({ mode, nth }))))(
    "H04: is never said to be while the session lives: Postgres fails with $mode at $nth",
    async ({ mode, nth }) => {
      const { browser } = await settledPerson();
      const copy = formBrowser();
      for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
      const answer = await withFault({ neon: { mode, nth } }, () => postWithin(browser, "/sign-out", {}));
      expect([200, 503]).toContain(answer.status);
      if (answer.status === 503) {
        expect(browser.cookies).toEqual(copy.cookies);
        expect((await postWithin(browser, "/sign-out", {})).status).toBe(200);
      }
      expect(await isSignedIn(copy)).toBe(false);
    },
  );

  it("a fault of Postgres is not taken for one: nobody is sent to the login", async () => {
    const { browser } = await settledPerson();
    const path = "/dashboard/sessions";
    for (const nth of [1, 2]) {
      const page = await withFault({ neon: { mode: "reset-before", nth } }, () => dashboardOf(browser));
      expect([page.status, page.url.pathname]).toEqual([503, path]);
    }
    expect((await dashboardOf(browser)).url.pathname).toBe(path);
  });
});

describe("counts in Postgres", () => {
  it("are pruned when their window has ended", async () => {
    const [old, live] = [crypto.randomUUID(), crypto.randomUUID()];
    await db.execute(sql`insert into try_count (bucket, count, until) values
      (${old}, 3, now() - interval '1 second'), (${live}, 3, now() + interval '1 hour')`);
    const { pruneExpired } = await import("../../../src/auth/prune.ts");
    await pruneExpired(db);
    const { rows } = await db.execute(sql`select bucket from try_count where bucket in (${old}, ${live})`);
    expect(rows).toEqual([{ bucket: live }]);
  });
});
