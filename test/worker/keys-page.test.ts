import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { isApiKey } from "../../src/keys/token.ts";
import { sha256 } from "../../src/platform/crypto.ts";
import { hiddenFields, pageOf, textOf, type FormBrowser, type Page } from "../support/browsing.ts";
import { db, newKey, resetStats, stats, withFault } from "../support/gateway.ts";
import { added, newMember, newTeam, OWN_FORM, type Member } from "../support/teams.ts";

const KEYS = "/dashboard/keys";
const NEW = `${KEYS}/new`;
const KEY_FIELD = /<input id="key"[^>]* value="([^"]*)"/;

let owner: Member;
beforeEach(async () => {
  owner = await newMember();
});

const open = async ({ browser }: Member, path: string): Promise<Page> => pageOf(await browser.open(path));

/** Fills in the form for a new key. */
async function make(member: Member, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
  const usual = {
    name: "Nightly job",
    owner: "user",
    tenant: member.person.tenantId,
    scope: "mcp:tools",
    expiry: "90",
  };
  const page = await open(member, NEW);
  return pageOf(await member.browser.submit(page, NEW, { ...usual, period: "month", ...fields }));
}

/** The key on a page that shows one. */
const keyOn = ({ html }: Page): string => KEY_FIELD.exec(html)?.[1] ?? "";

interface Row extends Record<string, unknown> {
  id: string;
  name: string;
  config_id: string;
  reference_id: string;
  enabled: boolean;
  permissions: string;
  expires: string | null;
  tenant_id: string;
  servers: string[] | null;
  tools: string[] | null;
  addresses: string[] | null;
  per_minute: number | null;
  burst: number | null;
  quota_max: string | null;
  quota_period: string | null;
  revoked_at: string | null;
  rotated_to: string | null;
}

const rows = async (where: ReturnType<typeof sql>): Promise<Row[]> =>
  (
    await db.execute<Row>(sql`
      select k.*, p.*, extract(epoch from k.expires_at - now() at time zone 'utc') as expires
      from apikey k join api_key_policy p on p.key_id = k.id where ${where} order by k.created_at`)
  ).rows;

async function rowOf(key: string): Promise<Row> {
  const [row] = await rows(sql`k.key = ${await sha256(key)}`);
  if (!row) throw new Error("there is no such key");
  return row;
}

const rowsOf = (member: Member) => rows(sql`k.reference_id = ${member.person.id}`);

/** A key of this member, and the path of its page. */
async function madeKey(member: Member, fields: Readonly<Record<string, string>> = {}) {
  const key = keyOn(await make(member, fields));
  const { id } = await rowOf(key);
  return { key, id, path: `${KEYS}/${id}` };
}

/** Sends one of the forms of a key's page. */
async function act(member: Member, path: string, action: string, fields: Readonly<Record<string, string>> = {}) {
  const page = await open(member, action === "revoke" ? `${path}/revoke` : path);
  return pageOf(await member.browser.submit(page, `${path}/${action}`, fields));
}

/** Which request to a store it is, counted from the start of `work`, that does `what`. */
async function nthOf(to: "neon" | "upstash", what: RegExp, work: () => Promise<unknown>): Promise<number> {
  await resetStats();
  await work();
  const requests = (await stats()).log.filter((one) => one.to === to);
  const nth = requests.findIndex((one) => what.test(one.what.join())) + 1;
  expect([nth, requests]).not.toEqual([0, requests]);
  return nth;
}

const LIMITS = { scope: "mcp:tools", servers: "", tools: "", addresses: "", per_minute: "", burst: "", quota: "" };

describe("a new key", () => {
  it("is for somebody with none explained, with the way in which a script uses it", async () => {
    const page = await open(owner, KEYS);
    expect(textOf(page.html)).toContain("A key is for a program that cannot sign in");
    expect(textOf(page.html)).toContain('-H "x-api-key: $MRG_API_KEY"');
    expect(page.html).toContain(`href="${NEW}"`);
  });

  it("R7: is shown once, and does what was chosen for ninety days", async () => {
    const page = await make(owner);
    expect(page.status).toBe(200);
    const key = keyOn(page);
    expect(isApiKey(key)).toBe(true);
    expect(await rowOf(key)).toMatchObject({
      name: "Nightly job",
      config_id: "default",
      reference_id: owner.person.id,
      tenant_id: owner.person.tenantId,
      permissions: '{"mcp":["tools"]}',
      per_minute: null,
      quota_max: null,
    });
    const days = Number((await rowOf(key)).expires) / 86_400;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThanOrEqual(90);
  });

  it("keeps its limits", async () => {
    const { key, path } = await madeKey(owner, {
      expiry: "never",
      servers: "notes\r\neverything\r\n\r\nnotes",
      tools: " echo ",
      addresses: "203.0.113.0/24\r\n2001:db8::/32",
      per_minute: "60",
      quota: "1000",
      period: "total",
    });
    expect(await rowOf(key)).toMatchObject({
      expires: null,
      servers: ["notes", "everything"],
      tools: ["echo"],
      addresses: ["203.0.113.0/24", "2001:db8::/32"],
      per_minute: 60,
      burst: 60,
      quota_max: "1000",
      quota_period: "total",
    });
    const text = textOf((await open(owner, path)).html);
    expect(text).toContain("0 of 1000 in all");
    expect(text).toContain("203.0.113.0/24 2001:db8::/32");
  });

  it("J11 J14: is not made of wrong entries; each is named at its field, and what was entered is kept", async () => {
    const page = await make(owner, {
      name: "",
      tenant: "team-of-others",
      owner: "nobody",
      scope: "",
      expiry: "9999",
      servers: "Not a slug",
      tools: "two words",
      addresses: "203.0.113.7/33",
      per_minute: "0",
      quota: "many",
    });
    expect(page.status).toBe(400);
    for (const field of ["name", "tenant", "scope", "expiry", "servers", "tools", "addresses", "per_minute", "quota"])
      expect(page.html).toMatch(new RegExp(`aria-describedby="${field}-problem[^>]*aria-invalid="true"`));
    for (const entered of ["Not a slug", "two words", "203.0.113.7/33", 'value="many"'])
      expect(page.html).toContain(entered);
    expect(page.html).toMatch(/<details open/);
    expect(keyOn(page)).toBe("");
    expect(await rowsOf(owner)).toEqual([]);
  });

  it("Q04 J10: is shown by one answer, which nothing stores; no other page and no address has it", async () => {
    const page = await make(owner);
    const key = keyOn(page);
    expect(isApiKey(key)).toBe(true);
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.headers.get("referrer-policy")).toBe("no-referrer");
    expect(page.url.pathname + page.url.search).toBe(NEW);
    const { id } = await rowOf(key);
    for (const path of [KEYS, NEW, `${KEYS}/${id}`, `${KEYS}/${id}/revoke`])
      expect((await open(owner, path)).html).not.toContain(key.slice(14));
    const sent = owner.browser.answers.flatMap(({ path, headers }) => [path, ...headers].join());
    expect([...sent, ...owner.browser.cookieLines].join()).not.toContain(key.slice(14));
  });

  it("Q04: is not made again, and not shown again, when the form is sent again", async () => {
    const form = await open(owner, NEW);
    const fields = { name: "Once", tenant: owner.person.tenantId, scope: "mcp:tools", expiry: "30", period: "month" };
    const first = pageOf(await owner.browser.submit(form, NEW, fields));
    const again = pageOf(await owner.browser.submit(form, NEW, fields));
    expect([first.status, again.status]).toEqual([200, 409]);
    expect(again.html).not.toContain("mrg_");
    expect(await rowsOf(owner)).toHaveLength(1);
  });

  it("is made from the same form after Postgres has failed", async () => {
    const other = await newMember();
    const otherForm = await open(other, NEW);
    const form = await open(owner, NEW);
    const fields = { name: "Late", tenant: owner.person.tenantId, scope: "mcp:tools", expiry: "30", period: "month" };
    const nth = await nthOf("neon", /apikey/i, () =>
      other.browser.submit(otherForm, NEW, { ...fields, tenant: other.person.tenantId }),
    );
    const failed = await withFault({ neon: { mode: "reset-before", nth } }, async () =>
      pageOf(await owner.browser.submit(form, NEW, fields)),
    );
    expect(failed.status).toBe(503);
    expect(await rowsOf(owner)).toEqual([]);
    expect(isApiKey(keyOn(pageOf(await owner.browser.submit(form, NEW, fields))))).toBe(true);
  });

  it("J02: has the scope admin for administrators only, whatever the form says", async () => {
    expect((await open(owner, NEW)).html).not.toContain('value="admin"');
    const refused = await make(owner, { scope: "admin" });
    expect([refused.status, keyOn(refused)]).toEqual([403, ""]);
    await db.execute(sql`update "user" set role = 'admin' where id = ${owner.person.id}`);
    expect((await open(owner, NEW)).html).toContain('value="admin"');
    expect((await rowOf(keyOn(await make(owner, { scope: "admin" })))).permissions).toBe('{"admin":["*"]}');
  });

  it("Q02: has a name that is text wherever it is shown", async () => {
    const name = `"><script>alert(1)</script><img src=x onerror='alert(1)'>\u202e`;
    const shown = await make(owner, { name });
    const { id } = await rowOf(keyOn(shown));
    const wrong = await make(owner, { name, servers: name, addresses: `</textarea>${name}`, per_minute: name });
    const pages = [shown, wrong, await open(owner, KEYS), await open(owner, `${KEYS}/${id}`)];
    for (const { html } of [...pages, await open(owner, `${KEYS}/${id}/revoke`)]) {
      expect(html).not.toMatch(/<script|<img|<\/textarea>"/);
      expect(html).toContain("&lt;script&gt;");
    }
  });
});

describe("the page of a key", () => {
  it("renames it and changes what it may do", async () => {
    const { key, path } = await madeKey(owner);
    expect((await act(owner, path, "name", { name: "Other job" })).url.search).toBe("?done=name");
    const limits = {
      ...LIMITS,
      scope: "audit:read",
      addresses: "198.51.100.7",
      per_minute: "10",
      burst: "5",
      period: "month",
    };
    expect((await act(owner, path, "limits", limits)).html).toContain("What the key may do is changed.");
    const changed = { name: "Other job", permissions: '{"audit":["read"]}', addresses: ["198.51.100.7"], burst: 5 };
    expect(await rowOf(key)).toMatchObject(changed);
    expect((await act(owner, path, "limits", { ...limits, addresses: "", per_minute: "", burst: "" })).status).toBe(
      200,
    );
    expect(await rowOf(key)).toMatchObject({ addresses: null, per_minute: null, burst: null });
  });

  it("changes nothing for a wrong entry, and keeps the others", async () => {
    const { key, path } = await madeKey(owner, { servers: "notes" });
    const page = await act(owner, path, "limits", { ...LIMITS, servers: "everything", tools: "a b", quota: "-1" });
    expect(page.status).toBe(400);
    expect(page.html).toContain(">everything</textarea>");
    expect(page.html).toMatch(/id="tools-problem"/);
    expect(page.html).toMatch(/id="quota-problem"/);
    expect((await act(owner, path, "name", { name: "" })).html).toMatch(/id="name-problem"/);
    expect(await rowOf(key)).toMatchObject({ servers: ["notes"], tools: null, name: "Nightly job" });
  });

  it("J14: leaves a list that allows nothing as it is when the form shows it empty", async () => {
    const { id, key, path } = await madeKey(owner);
    await db.execute(sql`update api_key_policy set addresses = '{}' where key_id = ${id}`);
    expect((await open(owner, path)).html).toContain("allows nothing");
    await act(owner, path, "limits", { ...LIMITS, tools: "echo", period: "month" });
    expect(await rowOf(key)).toMatchObject({ addresses: [], tools: ["echo"] });
  });

  it("turns it off and on", async () => {
    const { key, path } = await madeKey(owner);
    expect(textOf((await act(owner, path, "enabled")).html)).toContain("Status Disabled");
    expect((await rowOf(key)).enabled).toBe(false);
    expect(textOf((await act(owner, path, "enabled")).html)).toContain("Status Active");
    expect((await rowOf(key)).enabled).toBe(true);
  });

  it.each([
    ["0", 0],
    ["3600", 1],
    ["86400", 24],
    ["604800", 168],
  ])("J15: rotates it; the old key works %s seconds more, and the new one is shown once", async (overlap, hours) => {
    const { key, id, path } = await madeKey(owner, { tools: "echo" });
    const form = await open(owner, path);
    const shown = pageOf(await owner.browser.submit(form, `${path}/rotate`, { overlap }));
    const next = keyOn(shown);
    expect(isApiKey(next)).toBe(true);
    expect(next).not.toBe(key);
    const [before, after] = [await rowOf(key), await rowOf(next)];
    expect(before.rotated_to).toBe(after.id);
    expect(after).toMatchObject({ tools: ["echo"], tenant_id: before.tenant_id, name: "Nightly job" });
    expect(Number(before.expires) / 3600).toBeLessThanOrEqual(hours);
    expect(Number(before.expires) / 3600).toBeGreaterThan(hours - 0.1);
    const again = pageOf(await owner.browser.submit(form, `${path}/rotate`, { overlap }));
    expect([again.status, keyOn(again)]).toEqual([409, ""]);
    const page = await open(owner, `${KEYS}/${id}`);
    expect(page.html).toContain(`href="${KEYS}/${after.id}"`);
    expect(page.html).not.toContain(`action="${path}/rotate"`);
    expect(await rowsOf(owner)).toHaveLength(2);
  });

  it("rotates with the overlaps that it offers and no other", async () => {
    const { path } = await madeKey(owner);
    for (const overlap of ["", "-1", "2592000", "NaN"])
      expect((await act(owner, path, "rotate", { overlap })).status).toBe(400);
    expect(await rowsOf(owner)).toHaveLength(1);
  });

  it("R9: revokes it for good, after a question", async () => {
    const { key, path } = await madeKey(owner);
    const question = await open(owner, `${path}/revoke`);
    expect(textOf(question.html)).toContain("Revoke this key?");
    expect((await rowOf(key)).revoked_at).toBeNull();
    const page = await act(owner, path, "revoke");
    expect(textOf(page.html)).toContain("The key is revoked. It never works again.");
    expect((await rowOf(key)).revoked_at).not.toBeNull();
    for (const action of ["name", "limits", "enabled", "rotate"])
      expect(page.html).not.toContain(`action="${path}/${action}"`);
    expect((await open(owner, `${path}/revoke`)).url.pathname).toBe(path);
    expect(textOf((await open(owner, KEYS)).html)).toContain("Status Revoked");
  });

  it("R9: says that a change is made, and when it is in force, while Redis does not hear of it", async () => {
    const { key, path } = await madeKey(owner);
    const form = await open(owner, `${path}/revoke`);
    const rehearsal = await madeKey(owner);
    const question = await open(owner, `${rehearsal.path}/revoke`);
    const nth = await nthOf("upstash", /^EVAL/i, () => owner.browser.submit(question, `${rehearsal.path}/revoke`, {}));
    const fault = { upstash: { mode: "reset-before", nth } };
    const page = await withFault(fault, async () => pageOf(await owner.browser.submit(form, `${path}/revoke`, {})));
    expect(page.status).toBe(503);
    expect(page.headers.get("retry-after")).toBe("5");
    expect(textOf(page.html)).toContain("It may take up to 30 seconds until this is so everywhere.");
    expect(textOf(page.html)).toContain("Status Revoked");
    expect((await rowOf(key)).revoked_at).not.toBeNull();
  });
});

describe("who may see and change a key", () => {
  const ACTIONS = ["name", "limits", "enabled", "rotate", "revoke"] as const;

  /** Form tokens that are good in this browser, from a key of its own. */
  async function tokensOf(member: Member): Promise<Record<string, string>> {
    const { path } = await madeKey(member);
    const [page, question] = [await open(member, path), await open(member, `${path}/revoke`)];
    return Object.fromEntries(
      ACTIONS.map((name) => [name, hiddenFields(name === "revoke" ? question : page, `${path}/${name}`)["form"] ?? ""]),
    );
  }

  /** The statuses of every page and form of a key. */
  async function statuses(browser: FormBrowser, path: string, tokens: Record<string, string>): Promise<number[]> {
    const seen = [path, `${path}/revoke`].map(async (one) => (await browser.send(one)).status);
    const entered = { ...LIMITS, name: "Taken", enabled: "no", overlap: "0", period: "month" };
    const sent = ACTIONS.map(async (action) => {
      const body = new URLSearchParams({ ...entered, form: tokens[action] ?? "" }).toString();
      const headers = { ...OWN_FORM, "content-type": "application/x-www-form-urlencoded" };
      return (await browser.send(`${path}/${action}`, { method: "POST", body, headers })).status;
    });
    return Promise.all([...seen, ...sent]);
  }

  it("O01 O03: its owner; for everybody else there is none, as for an id that nobody has", async () => {
    const { key, path } = await madeKey(owner);
    const before = await rowOf(key);
    const stranger = await newMember();
    const tokens = await tokensOf(stranger);
    const notFound = Array.from({ length: 7 }, () => 404);
    expect(await statuses(stranger.browser, path, tokens)).toEqual(notFound);
    const ids = [crypto.randomUUID(), "%20", "a%00b", "x".repeat(65), `${before.id}%20`, "..%2fapps"];
    for (const id of ids) expect([id, (await owner.browser.send(`${KEYS}/${id}`)).status]).toEqual([id, 404]);
    const [foreign, missing] = [await open(stranger, path), await open(stranger, `${KEYS}/${crypto.randomUUID()}`)];
    expect(textOf(foreign.html)).toBe(textOf(missing.html));
    for (const name of stranger.browser.cookies.keys())
      if (name.includes("session")) stranger.browser.cookies.delete(name);
    expect(await statuses(stranger.browser, path, tokens)).toEqual(notFound.map(() => 303));
    expect(await rowOf(key)).toEqual({ ...before, expires: expect.anything() });
    expect((await open(owner, KEYS)).html).toContain(path);
  });

  it("O02: a team's owners and administrators, not its members", { timeout: 60_000 }, async () => {
    const team = await newTeam(owner, "Example team");
    const [admin, member] = [await added(owner, team, "admin"), await added(owner, team)];
    const { key, path } = await madeKey(owner, { tenant: team, owner: "organization" });
    expect(await rowOf(key)).toMatchObject({ config_id: "organization", reference_id: team, tenant_id: team });
    expect((await act(admin, path, "name", { name: "Renamed" })).url.search).toBe("?done=name");
    expect(textOf((await open(admin, KEYS)).html)).toContain("Renamed");
    expect(await statuses(member.browser, path, await tokensOf(member))).toEqual(Array.from({ length: 7 }, () => 404));
    expect((await open(member, KEYS)).html).not.toContain("Renamed");

    const refused = await make(member, { tenant: team, owner: "organization" });
    expect(refused.status).toBe(400);
    expect(refused.html).toMatch(/id="owner-problem"[^<]*Only owners and administrators/);
    const own = await rowOf(keyOn(await make(member, { tenant: team })));
    expect(own).toMatchObject({ config_id: "default", reference_id: member.person.id, tenant_id: team });
    expect(await rowOf(key)).toMatchObject({ name: "Renamed", enabled: true, revoked_at: null, rotated_to: null });
  });

  it("O04: nobody makes a key that belongs to a personal organization", async () => {
    await newTeam(owner);
    const page = await make(owner, { owner: "organization" });
    expect([page.status, keyOn(page)]).toEqual([400, ""]);
    expect(page.html).toMatch(/id="owner-problem"/);
  });

  it("Q03: only by forms of these pages: no other site, purpose, browser or bare address does it", async () => {
    const { key, path } = await madeKey(owner);
    const before = await rowOf(key);
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    const page = await open(owner, path);
    const tokens = await tokensOf(await newMember());
    for (const action of ["name", "limits", "enabled", "rotate"] as const) {
      const other = hiddenFields(page, `${path}/${action === "name" ? "limits" : "name"}`)["form"] ?? "";
      const answers = [
        await owner.browser.submit(page, `${path}/${action}`, { overlap: "0" }, foreign),
        await owner.browser.submit(page, `${path}/${action}`, { form: "" }),
        await owner.browser.submit(page, `${path}/${action}`, { form: other }),
        await owner.browser.submit(page, `${path}/${action}`, { form: tokens[action] ?? "" }),
      ];
      expect(answers.map((answer) => pageOf(answer).status)).toEqual([403, 403, 403, 403]);
      expect((await owner.browser.send(`${path}/${action}?overlap=0&enabled=no&name=x`)).status).toBe(404);
    }
    const question = await open(owner, `${path}/revoke?form=${tokens["revoke"]}`);
    expect(pageOf(await owner.browser.submit(question, `${path}/revoke`, {}, foreign)).status).toBe(403);
    const form = await open(owner, NEW);
    expect(pageOf(await owner.browser.submit(form, NEW, { name: "x" }, foreign)).status).toBe(403);
    expect(await rowOf(key)).toEqual({ ...before, expires: expect.anything() });
    expect((await rowsOf(owner)).map(({ id }) => id)).toEqual([before.id]);
  });
});

describe("the list of keys", () => {
  it("goes on to older ones, fifty at a time", { timeout: 60_000 }, async () => {
    for (let made = 0; made < 51; made++) await newKey({ userId: owner.person.id });
    const first = await open(owner, KEYS);
    const links = ({ html }: Page) => [...html.matchAll(/<h2[^>]*><a href="([^"]+)"/g)].map(([, path]) => path);
    expect(links(first)).toHaveLength(50);
    const older = /href="(\/dashboard\/keys\?before=[^"]+)"/.exec(first.html)?.[1] ?? "";
    const second = await open(owner, older);
    expect(links(second)).toHaveLength(1);
    expect(new Set([...links(first), ...links(second)]).size).toBe(51);
    expect(second.html).not.toContain("?before=");
    expect(links(await open(owner, `${KEYS}?before=nonsense`))).toHaveLength(50);
  });
});
