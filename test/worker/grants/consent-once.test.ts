import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { formBrowser, leftFor, pageOf, textOf, type FormBrowser, type Page } from "../../support/browsing.ts";
import { db, origin, withFault } from "../../support/gateway.ts";
import {
  AUTH,
  authorizePath,
  later,
  newClient,
  newPerson,
  signInAt,
  type Parameters,
  type Person,
} from "../../support/oauth.ts";

/** A person's browser at the consent page of a client. */
async function atConsent(
  changed: Parameters = {},
): Promise<{ browser: FormBrowser; page: Page; person: Person; clientId: string }> {
  const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser()];
  const page = pageOf(await signInAt(browser, await browser.open(authorizePath(clientId, changed)), person));
  expect(page.url.pathname).toBe("/consent");
  return { browser, page, person, clientId };
}

const countOfConsents = async (clientId: string) =>
  (await db.execute(sql`select 1 from oauth_consent where client_id = ${clientId}`)).rows.length;

/** The path behind the link with these words. */
function linkOf(page: Page, words: string): string {
  const link = new RegExp(`<a href="([^"]*)"[^>]*>${words}</a>`).exec(page.html)?.[1];
  if (link === undefined) throw new Error(`no link “${words}” in: ${textOf(page.html)}`);
  return link.replaceAll("&amp;", "&");
}

describe("a consent request", () => {
  it("B10: is decided once: a replay gives no second code, and says how to go on", async () => {
    const { browser, page } = await atConsent();
    const first = leftFor(await browser.submit(page, "/consent", { decision: "allow" }));
    const replayed = pageOf(await browser.submit(page, "/consent", { decision: "allow" }));
    expect(replayed.status).toBe(400);
    expect(textOf(replayed.html)).toContain("You have already answered this request");
    const again = leftFor(await browser.open(linkOf(replayed, "continue to the app")));
    expect(again.searchParams.get("state")).toBe("test-state");
    expect(again.searchParams.get("code")).not.toBe(first.searchParams.get("code"));
  });

  it("B10: B06: that was denied cannot be allowed afterwards, nor the other way round", async () => {
    for (const [decision, other] of [
      ["deny", "allow"],
      ["allow", "deny"],
    ] as const) {
      const { browser, page, clientId } = await atConsent();
      await browser.submit(page, "/consent", { decision });
      const replayed = pageOf(await browser.submit(page, "/consent", { decision: other }));
      expect(replayed.status).toBe(400);
      expect(await countOfConsents(clientId)).toBe(decision === "allow" ? 1 : 0);
    }
  });

  it("B10: posted eight times at once gives one code", async () => {
    const { browser, page } = await atConsent();
    const visits = await Promise.all(
      Array.from({ length: 8 }, () => browser.submit(page, "/consent", { decision: "allow" })),
    );
    expect(visits.filter((visit) => "leftFor" in visit)).toHaveLength(1);
    for (const visit of visits) if ("page" in visit) expect(visit.page.status).toBe(400);
  });

  it("B10: shown twice can be decided on either page, once", async () => {
    const { browser, page } = await atConsent();
    const second = pageOf(await browser.open(`${page.url.pathname}${page.url.search}`));
    expect(leftFor(await browser.submit(page, "/consent", { decision: "allow" })).searchParams.has("code")).toBe(true);
    expect(pageOf(await browser.submit(second, "/consent", { decision: "allow" })).status).toBe(400);
  });

  it("B10: of the same app made twice can be decided twice", async () => {
    const { browser, page, clientId } = await atConsent();
    const other = pageOf(await browser.open(authorizePath(clientId, { state: "other-state" })));
    for (const [shown, state] of [
      [page, "test-state"],
      [other, "other-state"],
    ] as const) {
      const answer = leftFor(await browser.submit(shown, "/consent", { decision: "allow" }));
      expect(answer.searchParams.get("state")).toBe(state);
    }
  });

  it("B10: whose time is over starts again instead of being decided", async () => {
    const { browser, page, person, clientId } = await atConsent();
    const visit = await later(400, () => browser.submit(page, "/consent", { decision: "allow" }));
    expect(pageOf(visit).url.pathname).toBe("/consent");
    expect(await countOfConsents(clientId)).toBe(0);
    const tooLate = await later(660, () => browser.submit(page, "/consent", { decision: "allow" }));
    expect(pageOf(tooLate).status).toBe(403);
    expect(person.id).not.toBe("");
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "that meets a fault of Redis at request %i fails as ours, or is decided, and can be decided in the end",
    async (nth) => {
      const { browser, page } = await atConsent();
      const visit = await withFault({ upstash: { mode: "reset-before", nth } }, () =>
        browser.submit(page, "/consent", { decision: "allow" }),
      );
      if ("leftFor" in visit) {
        expect(visit.leftFor.searchParams.has("code")).toBe(true);
        return;
      }
      const { status, url, html, headers } = visit.page;
      expect([status, url.pathname, headers.has("retry-after")]).toEqual([
        expect.toBeOneOf([200, 503]),
        "/consent",
        status === 503,
      ]);
      expect(textOf(html)).not.toMatch(/upstash|redis|fetch failed|at async/i);
      const again = await browser.submit(page, "/consent", { decision: "allow" });
      expect(leftFor(again).searchParams.has("code")).toBe(true);
    },
  );

  it.each(["down", "500", "reset-after-commit"])("while Redis is lost (%s) is not decided: 503", async (mode) => {
    const { browser, page, clientId } = await atConsent();
    const failed = await withFault({ upstash: { mode } }, async () =>
      pageOf(await browser.submit(page, "/consent", { decision: "allow" })),
    );
    expect(failed.status).toBe(503);
    expect(await countOfConsents(clientId)).toBe(0);
    expect("leftFor" in (await browser.submit(page, "/consent", { decision: "allow" }))).toBe(true);
  });

  it.each([1, 2, 3, 4])("that meets a fault of Postgres at request %i can be decided again", async (nth) => {
    const { browser, page, clientId } = await atConsent();
    const visit = await withFault({ neon: { mode: "reset-after-commit", nth } }, () =>
      browser.submit(page, "/consent", { decision: "allow" }),
    );
    if ("page" in visit) {
      expect(visit.page.status).toBe(503);
      expect("leftFor" in (await browser.submit(page, "/consent", { decision: "allow" }))).toBe(true);
    }
    expect(await countOfConsents(clientId)).toBe(1);
  });
});

describe("the framework's own way to consents", () => {
  it.each(["get-consents", "get-consent?id=x", "update-consent", "delete-consent"])(
    "B10: %s is closed, for one's own consent as for another's",
    async (name) => {
      const { browser, page, clientId } = await atConsent();
      await browser.submit(page, "/consent", { decision: "allow" });
      const headers = { origin, "content-type": "application/json" };
      const { rows } = await db.execute<{ id: string }>(
        sql`select id from oauth_consent where client_id = ${clientId}`,
      );
      const body = JSON.stringify({ id: rows[0]?.id, update: { scopes: ["admin"] } });
      for (const path of [name, `/${name}`, `${name}/`.replace("?id=x/", "/?id=x")]) {
        const init = name.startsWith("get") ? { headers } : { method: "POST", headers, body };
        expect({ path, status: (await browser.send(`${AUTH}/oauth2/${path}`, init)).status }).toEqual({
          path,
          status: 404,
        });
      }
      expect(await countOfConsents(clientId)).toBe(1);
    },
  );
});
