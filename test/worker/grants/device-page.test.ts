import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { USER_CODE_TRIES } from "../../../src/grants/device/user-code-tries.ts";
import { formBrowser, hiddenFields, pageOf, textOf } from "../../support/browsing.ts";
import { appsPage, browserOf, disconnect, whoami } from "../../support/dashboard.ts";
import {
  decide,
  devicePage,
  enterCode,
  newDeviceClient,
  poll,
  pollError,
  start,
  waitInterval,
} from "../../support/device.ts";
import { callTool, db, origin, withFault } from "../../support/gateway.ts";
import { claimsOf, newPerson, PASSWORD, refresh, type Person, type Tokens } from "../../support/oauth.ts";

const WRONG = "This code is not valid. It may be mistyped, expired or already used.";

const startOne = async (fields: Record<string, unknown> = {}) => {
  const clientId = await newDeviceClient(fields);
  return { clientId, ...(await start(clientId)) };
};

/** An organization of which the person is a member. */
async function newOrganization({ id: userId }: Person, name: string): Promise<string> {
  const id = `organization-${crypto.randomUUID()}`;
  await db.execute(sql`with organization as (
      insert into organization (id, name, slug, created_at) values (${id}, ${name}, ${id}, now()) returning id)
    insert into member (id, organization_id, user_id, role, created_at) select ${id}, id, ${userId}, 'member', now() from organization`);
  return id;
}

describe("the page for devices", () => {
  it("is opened by the device's link, leads through the login and back, and asks before it does anything", async () => {
    const person = await newPerson();
    const device = await startOne();
    const { pathname, search } = new URL(device.verification_uri_complete);
    const browser = formBrowser();
    const login = pageOf(await browser.open(`${pathname}${search}`));
    expect(login.url.search).toBe(`?next=${encodeURIComponent(`/device/${device.user_code}`)}`);
    const page = pageOf(await browser.submit(login, "/sign-in", { email: person.email, password: PASSWORD }));
    expect(page.url.pathname).toBe(`/device/${device.user_code}`);
    expect(page.html).toContain(`value="${device.user_code}"`);
    expect(page.html).not.toContain("Approve");
    expect(await pollError(device.clientId, device.device_code)).toMatchObject({ error: "authorization_pending" });
    for (const { headers } of browser.answers) {
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(headers.get("cache-control")).toContain("no-store");
    }
  });

  it("says who asks for what, that nobody vouches for it, and to approve only what one has started", async () => {
    const person = await newPerson();
    const device = await startOne({ client_name: "TV <img src=x>\u202E" });
    const page = await enterCode(formBrowser(), person, device.user_code.toLowerCase().replace("-", " "));
    for (const part of [
      "TV <img src=x>",
      device.clientId,
      `Code ${device.user_code}`,
      "Use MCP tools on your behalf",
      "Stay connected until you disconnect it",
      `Access to ${origin}/mcp`,
      person.email,
      "Organization Personal",
      "Approve only if you started this on your own device",
      "Nobody has verified this app.",
    ])
      expect(textOf(page.html)).toContain(part);
    expect(page.html).not.toContain("<img");
    expect(page.html).not.toContain("\u202E");
    expect(page.html).not.toMatch(/<script|javascript:/);
  });

  it("does what the person decides: the device goes on, or hears no", async () => {
    const person = await newPerson();
    const yes = await startOne();
    expect(textOf((await decide(yes.user_code, person)).html)).toContain("The device is connected");
    expect((await poll(yes.clientId, yes.device_code)).status).toBe(200);
    const no = await startOne();
    expect(textOf((await decide(no.user_code, person, "deny")).html)).toContain("Nothing was shared");
    expect(await pollError(no.clientId, no.device_code)).toMatchObject({ error: "access_denied" });
  });

  it("fills in nothing that is no code", async () => {
    const person = await newPerson();
    const browser = await browserOf(person);
    for (const path of ["/device?user_code=%22%3E%3Cimg%3E", "/device/nothing", "/device?user_code=WDJB-MJHTX"]) {
      const page = await devicePage(browser, person, path);
      expect(page.status).toBe(200);
      expect(page.html).not.toMatch(/name="user_code" [^>]*value="[^"]/);
    }
  });
});

describe("a user code", () => {
  it("says the same whether it was invented, ill-formed, expired, used or decided about", async () => {
    const person = await newPerson();
    const browser = await browserOf(person);
    const [expired, used, denied, gone] = [await startOne(), await startOne(), await startOne(), await startOne()];
    await db.execute(sql`update device_code set expires_at = now() at time zone 'utc' - interval '1 second'
      where user_code = ${expired.user_code}`);
    await decide(used.user_code, await newPerson());
    await poll(used.clientId, used.device_code);
    await decide(denied.user_code, await newPerson(), "deny");
    await db.execute(sql`update oauth_client set disabled = true where client_id = ${gone.clientId}`);
    const texts = new Set<string>();
    for (const code of ["BCDF-GHJK", "nonsense", ...[expired, used, denied, gone].map((device) => device.user_code)]) {
      const page = await enterCode(browser, person, code);
      expect(page.status).toBe(400);
      expect(textOf(page.html)).toContain(WRONG);
      texts.add(textOf(page.html));
    }
    expect(texts.size).toBe(1);
  });

  it("is decided about once: of eight decisions at the same time one counts", async () => {
    const device = await startOne();
    const people = await Promise.all(Array.from({ length: 8 }, newPerson));
    const pages = await Promise.all(
      people.map(async (person) => {
        const browser = await browserOf(person);
        return { browser, page: await enterCode(browser, person, device.user_code) };
      }),
    );
    const ends = await Promise.all(
      pages.map(async ({ browser, page }, index) =>
        pageOf(await browser.submit(page, "/device/decide", { decision: index % 2 === 0 ? "approve" : "deny" })),
      ),
    );
    expect(ends.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(ends.filter(({ status }) => status === 400)).toHaveLength(7);
    const { rows } = await db.execute(sql`select user_id from oauth_consent where client_id = ${device.clientId}`);
    const answer = await poll(device.clientId, device.device_code);
    expect(rows).toHaveLength(answer.status === 200 ? 1 : 0);
  });

  it("cannot be guessed at length: a person's tries are counted, from whatever address, and others go on", async () => {
    const person = await newPerson();
    const browser = await browserOf(person);
    const device = await startOne();
    const elsewhere = async (userCode: string) => {
      const other = formBrowser();
      for (const [name, value] of browser.cookies) other.cookies.set(name, value);
      return enterCode(other, person, userCode);
    };
    const decision = await elsewhere(device.user_code);
    const wrong = await Promise.all(Array.from({ length: USER_CODE_TRIES - 1 }, () => elsewhere("BCDF-GHJK")));
    expect(new Set(wrong.map(({ status }) => status))).toEqual(new Set([400]));
    const decided = await browser.submit(decision, "/device/decide", { decision: "approve" });
    expect(pageOf(decided).status).toBe(429);
    const page = await elsewhere(device.user_code);
    expect(page.status).toBe(429);
    expect(Number(page.headers.get("retry-after"))).toBeGreaterThan(600);
    expect(textOf(page.html)).toContain("Too many codes were entered.");
    await decide(device.user_code, await newPerson());
    expect((await poll(device.clientId, device.device_code)).status).toBe(200);
  });

  it("cannot be guessed at length from one address either, whoever is signed in", async () => {
    const people = await Promise.all(Array.from({ length: 2 }, newPerson));
    const signedIn = await Promise.all(people.map(browserOf));
    const browser = formBrowser();
    const statuses: number[] = [];
    for (let i = 0; i < 36; i++) {
      const [person, { cookies } = browser] = [people[i % 2], signedIn[i % 2]];
      for (const [name, value] of cookies) browser.cookies.set(name, value);
      if (person) statuses.push((await enterCode(browser, person, "BCDF-GHJK")).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 30 }, () => 400), ...Array.from({ length: 6 }, () => 429)]);
  });
});

describe("who decides about a device", () => {
  it("Q03: does so by the form of this page, for the account that the page was shown to", async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const device = await startOne();
    const browser = formBrowser();
    const page = await enterCode(browser, person, device.user_code);
    const fields = { ...hiddenFields(page, "/device/decide"), decision: "approve" };
    const foreign = await browser.post("/device/decide", fields, { origin: "https://evil.example.com" });
    expect(pageOf(foreign).status).toBe(403);
    expect(pageOf(await browser.post("/device/decide", { ...fields, form: "x" })).status).toBe(403);
    expect(pageOf(await browser.post("/device/decide", { ...fields, user: other.id })).status).toBe(403);
    expect(pageOf(await browser.post("/device/decide", { ...fields, decision: "" })).status).toBe(400);
    const stranger = await formBrowser().post("/device/decide", fields);
    expect(pageOf(stranger).status).toBe(403);
    expect(await pollError(device.clientId, device.device_code)).toMatchObject({ error: "authorization_pending" });
  });

  it("Q03: is asked to sign in again when the session has ended meanwhile", async () => {
    const person = await newPerson();
    const device = await startOne();
    const browser = formBrowser();
    const page = await enterCode(browser, person, device.user_code);
    await db.execute(sql`delete from session where user_id = ${person.id}`);
    for (const name of browser.cookies.keys()) if (name.includes("session")) browser.cookies.delete(name);
    const login = pageOf(await browser.submit(page, "/device/decide", { decision: "approve" }));
    expect(login.url.search).toBe(`?next=${encodeURIComponent(`/device/${device.user_code}`)}`);
    expect(await pollError(device.clientId, device.device_code)).toMatchObject({ error: "authorization_pending" });
  });

  it("O04: chooses a tenant of their own for it, and leaves it with the tenant", async () => {
    const person = await newPerson();
    const organization = await newOrganization(person, "Organization <b>");
    const foreign = await newOrganization(await newPerson(), "Others");
    const device = await startOne();
    const browser = formBrowser();
    const page = await enterCode(browser, person, device.user_code);
    expect(textOf(page.html)).toContain("Organization <b>");
    expect(textOf(page.html)).not.toContain("Others");
    const refused = await browser.submit(page, "/device/decide", { decision: "approve", tenant: foreign });
    expect(pageOf(refused).status).toBe(403);
    await browser.submit(page, "/device/decide", { decision: "approve", tenant: organization });
    const tokens = await (await poll(device.clientId, device.device_code)).json<Tokens>();
    expect(claimsOf(tokens.access_token)["tenant"]).toBe(organization);
    const { result } = await callTool("whoami", {}, { token: tokens.access_token });
    expect(result?.structuredContent).toMatchObject({ tenantId: organization, userId: person.id });
    await db.execute(sql`delete from member where id = ${organization}`);
    expect((await refresh(device.clientId, tokens.refresh_token)).status).toBe(400);
    const late = await startOne();
    const other = await newOrganization(person, "Second");
    const again = await enterCode(browser, person, late.user_code);
    await browser.submit(again, "/device/decide", { decision: "approve", tenant: other });
    await db.execute(sql`delete from member where id = ${other}`);
    expect(await pollError(late.clientId, late.device_code)).toEqual({ status: 400, error: "invalid_grant" });
  });

  it("B11: finds it among the connected apps, and ends it there: what it has, and what it was about to get", async () => {
    const person = await newPerson();
    const device = await startOne({ client_name: "Television" });
    await decide(device.user_code, person);
    const tokens = await (await poll(device.clientId, device.device_code)).json<Tokens>();
    const browser = await browserOf(person);
    const page = await appsPage(browser);
    expect(textOf(page.html)).toContain("Television");
    expect(await whoami(tokens.access_token)).toBe(200);
    await disconnect(browser, page);
    expect(await whoami(tokens.access_token)).toBe(401);
    expect((await refresh(device.clientId, tokens.refresh_token)).status).toBe(400);

    const waiting = await start(device.clientId);
    await decide(waiting.user_code, person, "approve", browser);
    await disconnect(browser, await appsPage(browser));
    expect(await pollError(device.clientId, waiting.device_code)).toEqual({ status: 400, error: "invalid_grant" });
  });

  it("sees one entry for an app on several devices, with all that they may do", async () => {
    const person = await newPerson();
    const clientId = await newDeviceClient();
    for (const scope of ["mcp:tools", "mcp:tools audit:read"]) {
      const started = await start(clientId, { scope });
      await decide(started.user_code, person);
      expect((await poll(clientId, started.device_code)).status).toBe(200);
    }
    const { rows } = await db.execute(sql`select scopes, resources from oauth_consent where client_id = ${clientId}`);
    expect(rows).toEqual([
      { scopes: expect.arrayContaining(["mcp:tools", "audit:read"]), resources: [`${origin}/mcp`] },
    ]);
  });

  it("is told to try again while Postgres is down, and nothing is decided", async () => {
    const person = await newPerson();
    const device = await startOne();
    const browser = formBrowser();
    const page = await enterCode(browser, person, device.user_code);
    const answer = await withFault({ neon: { mode: "down" } }, () =>
      browser.submit(page, "/device/decide", { decision: "approve" }),
    );
    expect(pageOf(answer).status).toBe(503);
    expect(await pollError(device.clientId, device.device_code)).toMatchObject({ error: "authorization_pending" });
    await waitInterval(device.device_code);
    expect(pageOf(await browser.submit(page, "/device/decide", { decision: "approve" })).status).toBe(200);
    expect((await poll(device.clientId, device.device_code)).status).toBe(200);
  });
});
