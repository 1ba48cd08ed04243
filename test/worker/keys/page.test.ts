import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { isApiKey } from "../../../src/keys/token.ts";
import { pageOf, textOf, type Page } from "../../support/browsing.ts";
import { callTool, db, newKey, resetStats, stats, withFault } from "../../support/gateway.ts";
import {
  act,
  KEY_FIELD,
  keyOn,
  KEYS,
  LIMITS,
  madeKey,
  make,
  NEW,
  open,
  rowOf,
  rowsOf,
} from "../../support/key-pages.ts";
import { newMember, type Member } from "../../support/organizations.ts";

let owner: Member;
beforeEach(async () => {
  owner = await newMember();
});

/** Which request to a store it is, counted from the start of `work`, that does `what`. */
async function nthOf(to: "neon" | "upstash", what: RegExp, work: () => Promise<unknown>): Promise<number> {
  await resetStats();
  await work();
  const requests = (await stats()).log.filter((one) => one.to === to);
  const nth = requests.findIndex((one) => what.test(one.what.join())) + 1;
  expect([nth, requests]).not.toEqual([0, requests]);
  return nth;
}

/** The status of a tool call with a key: 200 while it works. */
const worksAtMcp = async (key: string): Promise<number> => (await callTool("whoami", {}, { key })).status;

describe("a new key", () => {
  it("is for somebody with none explained, with the way in which a script uses it", async () => {
    const page = await open(owner, KEYS);
    expect(textOf(page.html)).toContain("Scripts and services use keys to call the gateway");
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
    expect(text).toContain("0 of 1000 in total");
    expect(text).toContain("203.0.113.0/24 2001:db8::/32");
  });

  it("J11 J14: is not made of wrong entries; each is named at its field, and what was entered is kept", async () => {
    const page = await make(owner, {
      name: "",
      tenant: "organization-of-others",
      owner: "nobody",
      scope: "",
      expiry: "9999",
      servers: "Not a slug",
      tools: "x".repeat(129),
      addresses: "203.0.113.7/33",
      per_minute: "0",
      quota: "many",
    });
    expect(page.status).toBe(400);
    for (const field of ["name", "tenant", "scope", "expiry", "servers", "tools", "addresses", "per_minute", "quota"])
      expect(page.html).toMatch(new RegExp(`aria-describedby="${field}-problem.*id="${field}-problem"`));
    for (const entered of ["Not a slug", "203.0.113.7/33", 'value="many"']) expect(page.html).toContain(entered);
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
    expect((await act(owner, path, "limits", limits)).html).toContain("The permissions and limits were saved.");
    const changed = { name: "Other job", permissions: '{"audit":["read"]}', addresses: ["198.51.100.7"], burst: 5 };
    expect(await rowOf(key)).toMatchObject(changed);
    expect((await act(owner, path, "limits", { ...limits, addresses: "", per_minute: "", burst: "" })).status).toBe(
      200,
    );
    expect(await rowOf(key)).toMatchObject({ addresses: null, per_minute: null, burst: null });
  });

  it("changes nothing for a wrong entry, and keeps the others", async () => {
    const { key, path } = await madeKey(owner, { servers: "notes" });
    const page = await act(owner, path, "limits", {
      ...LIMITS,
      servers: "everything",
      tools: "x".repeat(129),
      quota: "-1",
    });
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

  it("R9: is in force at /mcp for the call after the page: off and on, rotated, revoked", async () => {
    const { key, path } = await madeKey(owner);
    expect(await worksAtMcp(key)).toBe(200);
    await act(owner, path, "enabled");
    expect(await worksAtMcp(key)).toBe(401);
    await act(owner, path, "enabled");
    expect(await worksAtMcp(key)).toBe(200);
    const next = keyOn(await act(owner, path, "rotate", { overlap: "0" }));
    expect([await worksAtMcp(key), await worksAtMcp(next)]).toEqual([401, 200]);
    await act(owner, `${KEYS}/${(await rowOf(next)).id}`, "revoke");
    expect(await worksAtMcp(next)).toBe(401);
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

  it.each([
    ["enabled", {}, "disabled. It does not work until you enable it.", "Status Disabled"],
    ["revoke", {}, "The key is revoked. It never works again.", "Status Revoked"],
  ])("R9: says that a change is made, and when it is in force, if Redis does not hear of it: %s", async (...row) => {
    const [action, fields, done, state] = row;
    const [rehearsal, { path }] = [await madeKey(owner), await madeKey(owner)];
    const formOf = (key: string) => open(owner, action === "revoke" ? `${key}/revoke` : key);
    const [first, form] = [await formOf(rehearsal.path), await formOf(path)];
    const send = (page: Page, key: string) => owner.browser.submit(page, `${key}/${action}`, fields);
    const nth = await nthOf("upstash", /evalsha/i, () => send(first, rehearsal.path));
    const fault = { upstash: { mode: "reset-before", nth } };
    const page = await withFault(fault, async () => pageOf(await send(form, path)));
    expect([page.status, page.headers.get("retry-after")]).toEqual([503, "5"]);
    for (const words of [done, "It may take up to 30 seconds until this applies everywhere.", state])
      expect(textOf(page.html)).toContain(words);
    expect(page.html).not.toMatch(KEY_FIELD);
  });

  it("R9: shows the new key all the same when Redis does not hear of the old one's end, and says when that is", async () => {
    const [rehearsal, { path }] = [await madeKey(owner), await madeKey(owner)];
    const [first, form] = [await open(owner, rehearsal.path), await open(owner, path)];
    const send = (page: Page, key: string) => owner.browser.submit(page, `${key}/rotate`, { overlap: "0" });
    const nth = await nthOf("upstash", /evalsha/i, () => send(first, rehearsal.path));
    const fault = { upstash: { mode: "reset-before", nth } };
    const page = await withFault(fault, async () => pageOf(await send(form, path)));
    expect(page.status).toBe(200);
    expect(textOf(page.html)).toContain("The old key stops working within 30 seconds.");
    expect(page.html).toMatch(KEY_FIELD);
  });
});

describe("the list of keys", () => {
  it("goes on to older ones, fifty at a time", async () => {
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
