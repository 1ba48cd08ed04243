import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import type { Db } from "../../../src/platform/postgres/db.ts";
import { syncDue, syncSource } from "../../../src/registry/mirror/sync.ts";
import { db, newKey, request } from "../../support/gateway.ts";
import { OtherRegistry, OTHER_NOW, silence, status, type OtherVersion } from "../../support/other-registry.ts";
import {
  disableSources,
  expireLease,
  kept,
  makeSource,
  mirroring,
  newCurator,
  rowOf,
  SOURCES,
  sync,
  syncDeps,
  USUAL,
} from "../../support/sources.ts";

const MINUTE = 60_000;
const servers = (count: number, prefix = "com.example/s"): OtherVersion[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${prefix}${100 + i}`, version: "1.0.0", isLatest: true }));

afterAll(disableSources);

describe("mirroring another registry", () => {
  it("takes over all versions, page by page, with status and latest as the other registry says", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(
      { name: "com.example/a", version: "1.0.0", isLatest: false },
      { name: "com.example/a", version: "2.0.0-beta", isLatest: true, status: "deprecated" },
      { name: "com.example/b", version: "1.0.0", isLatest: true },
    );
    other.pageSize = 2;
    expect(await sync(other, id)).toEqual({
      state: "finished",
      pages: 2,
      read: 3,
      changed: 3,
      leftOut: 0,
      problem: null,
    });
    expect(await kept(tenantId)).toEqual([
      "com.example/a 1.0.0 active",
      "com.example/a 2.0.0-beta deprecated*",
      "com.example/b 1.0.0 active*",
    ]);
    expect(other.asked).toEqual([{ limit: "100" }, { limit: "100", cursor: "com.example/a 2.0.0-beta" }]);
    const { rows } = await db.execute(
      sql`select distinct is_public, published_at, published_by from registry_version where tenant_id = ${tenantId}`,
    );
    expect(rows).toMatchObject([{ is_public: false, published_by: null }]);
    expect(new Date(String(rows[0]?.["published_at"])).getTime()).toBe(OTHER_NOW);
  });

  it("asks from then on for what has changed since shortly before the last run, by the other registry's clock", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(3));
    await sync(other, id);
    other.now += 60 * MINUTE;
    other.change("com.example/s100", "1.0.0", { status: "deprecated", statusMessage: "Use another." });
    other.put({ name: "com.example/s101", version: "1.1.0", isLatest: true });
    other.change("com.example/s101", "1.0.0", { isLatest: false });
    expect(await sync(other, id)).toMatchObject({ state: "finished", read: 4, changed: 3 });
    const since = new Date(OTHER_NOW - 5 * MINUTE).toISOString();
    expect(other.asked.at(-1)).toEqual({ limit: "100", updated_since: since, include_deleted: "true" });
    expect(await kept(tenantId)).toEqual([
      "com.example/s100 1.0.0 deprecated*",
      "com.example/s101 1.0.0 active",
      "com.example/s101 1.1.0 active*",
      "com.example/s102 1.0.0 active*",
    ]);
  });

  it("writes nothing that is here already", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(5));
    await sync(other, id);
    const stamps = () =>
      db.execute(
        sql`select xmin::text, ctid::text, updated_at from registry_version where tenant_id = ${tenantId} order by name`,
      );
    const before = (await stamps()).rows;
    expect(await sync(other, id)).toMatchObject({ state: "finished", read: 5, changed: 0 });
    expect((await stamps()).rows).toEqual(before);
  });

  it("marks here what was deleted there, and does not make what was deleted before it came", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(2));
    await sync(other, id);
    other.now += MINUTE;
    other.change("com.example/s100", "1.0.0", { status: "deleted", definition: { description: "" } });
    other.put({ name: "com.example/gone", version: "1.0.0", status: "deleted", isLatest: true });
    await sync(other, id);
    expect(await kept(tenantId)).toEqual(["com.example/s100 1.0.0 deleted*", "com.example/s101 1.0.0 active*"]);
  });

  it("has a latest version of every server at any time, also while the one that is named has not come", async () => {
    const { id, tenantId } = await mirroring();
    const name = "com.example/a";
    const other = new OtherRegistry().put(
      { name, version: "1.0.0", isLatest: false },
      { name, version: "2.0.0", isLatest: true },
    );
    other.pageSize = 1;
    await sync(other, id, { pages: 1 });
    expect(await kept(tenantId)).toEqual([`${name} 1.0.0 active*`]);
    await sync(other, id, { pages: 1 });
    expect(await kept(tenantId)).toEqual([`${name} 1.0.0 active`, `${name} 2.0.0 active*`]);
  });

  it("leaves out and counts entries that are no good, and goes on", async () => {
    const { id, tenantId } = await mirroring();
    const bad = { name: "com.example/bad", version: "1.0.0", definition: { description: "x".repeat(9_000) } };
    const outcome = await sync(new OtherRegistry().put(...servers(2), bad), id);
    expect(outcome).toMatchObject({ state: "finished", read: 3, changed: 2, leftOut: 1 });
    expect(await kept(tenantId)).toHaveLength(2);
    expect((await rowOf(id))["last_problem"]).toMatch(/^1 entry was skipped, such as com\.example\/bad \(\w+\)\.$/);
  });

  it("leaves names alone that were published here, or that another source brought first", async () => {
    const { id, tenantId, api } = await mirroring();
    const second = await makeSource(api, { url: "https://second.example.com" });
    await db.execute(sql`
      with s as (insert into registry_server (tenant_id, name, skeleton) values (${tenantId}, 'com.example/own', 'x') returning id)
      insert into registry_version (server_id, tenant_id, name, version, is_latest, definition, status_changed_at, published_at, updated_at)
      select id, ${tenantId}, 'com.example/own', '0.1.0', true, '{}', now(), now(), now() from s`);
    await sync(
      new OtherRegistry().put({ name: "com.example/own", version: "9.0.0", isLatest: true }, ...servers(1)),
      id,
    );
    await sync(new OtherRegistry().put({ name: "com.example/s100", version: "9.0.0", isLatest: true }), second.id);
    expect(await kept(tenantId)).toEqual(["com.example/own 0.1.0 active*", "com.example/s100 1.0.0 active*"]);
  });

  it("takes what the rules allow, and what it had taken before they said otherwise is deleted here", async () => {
    const { id, tenantId, api } = await mirroring({ allow: ["com.example/*", "org.example/*"], deny: ["*/secret"] });
    const other = new OtherRegistry().put(
      { name: "com.example/a", version: "1.0.0", isLatest: true },
      { name: "com.example/secret", version: "1.0.0", isLatest: true },
      { name: "net.example/a", version: "1.0.0", isLatest: true },
      { name: "org.example/a", version: "1.0.0", isLatest: true },
    );
    await sync(other, id);
    expect(await kept(tenantId)).toEqual(["com.example/a 1.0.0 active*", "org.example/a 1.0.0 active*"]);
    expect((await api("PATCH", `${SOURCES}/${id}`, { deny: ["ORG.example/*"] })).status).toBe(200);
    await sync(other, id);
    expect(other.asked.at(-1)).toEqual({ limit: "100" });
    expect(await kept(tenantId)).toEqual([
      "com.example/a 1.0.0 active*",
      "com.example/secret 1.0.0 active*",
      "org.example/a 1.0.0 deleted*",
    ]);
    await api("PATCH", `${SOURCES}/${id}`, { deny: [] });
    await sync(other, id);
    expect(await kept(tenantId)).toContain("org.example/a 1.0.0 active*");
  });
});

describe("mirroring a registry like this one", () => {
  it("brings all of it by its own API, and later what has changed", async () => {
    const [theirs, mine] = [await mirroring(), await mirroring()];
    const { key } = await newKey({ userId: theirs.userId, scopes: ["mcp-registry:read"] });
    const asked: string[] = [];
    const gateway: Pick<OtherRegistry, "outbound"> = {
      outbound: (target) => {
        const { pathname, search } = new URL(target);
        asked.push(search);
        return request(`${pathname}${search}`, { headers: { "x-api-key": key } });
      },
    };
    const first = new OtherRegistry().put(...servers(130));
    await sync(first, theirs.id);
    expect(await sync(gateway, mine.id)).toMatchObject({ state: "finished", pages: 2, read: 130, leftOut: 0 });
    expect(await kept(mine.tenantId)).toEqual(await kept(theirs.tenantId));
    first.now += MINUTE;
    first.change("com.example/s100", "1.0.0", { status: "deleted" });
    first.change("com.example/s101", "1.0.0", { status: "deprecated", statusMessage: "Old." });
    await sync(first, theirs.id);
    await db.execute(sql`update registry_source set since = now() where id = ${mine.id}::uuid`);
    await db.execute(sql`
      update registry_version set updated_at = now() + interval '1 second' where tenant_id = ${theirs.tenantId} and status <> 'active'`);
    expect(await sync(gateway, mine.id)).toMatchObject({ state: "finished", read: 2, changed: 2 });
    expect(asked.at(-1)).toContain("updated_since=");
    expect(await kept(mine.tenantId)).toEqual(await kept(theirs.tenantId));
  });
});

describe("a turn at mirroring", () => {
  it("is one at a time: of two at once one does the work", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(3));
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => sync(other, id)));
    const states = outcomes.map(({ state }) => state).toSorted();
    expect(states.filter((state) => state === "finished").length).toBeGreaterThanOrEqual(1);
    expect(other.asked).toHaveLength(states.filter((state) => state === "finished").length);
    expect(await kept(tenantId)).toHaveLength(3);
    const held = new OtherRegistry().put(...servers(1));
    let second: Promise<unknown> | undefined;
    held.failNext(async () => {
      second ??= sync(held, id);
      expect(await second).toMatchObject({ state: "busy", pages: 0 });
      return Response.json({ servers: [] });
    });
    expect(await sync(held, id)).toMatchObject({ state: "finished" });
    expect(held.asked).toHaveLength(1);
  });

  it("goes on where one was killed between two pages, once that one's lease is over", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(5));
    other.pageSize = 2;
    let statements = 0;
    const dying = {
      execute: (query: Parameters<Db["execute"]>[0]) => {
        statements += 1;
        return statements <= 3 ? db.execute(query) : Promise.reject(new Error("the isolate is gone"));
      },
    } as Pick<Db, "execute">;
    await expect(syncSource({ ...syncDeps(other), db: dying }, id, USUAL)).rejects.toThrow("the isolate is gone");
    expect(await kept(tenantId)).toHaveLength(2);
    expect(await sync(other, id)).toMatchObject({ state: "busy" });
    await expireLease(id);
    other.asked = [];
    expect(await sync(other, id)).toMatchObject({ state: "finished", read: 3 });
    expect(other.asked.map(({ cursor }) => cursor)).toEqual(["com.example/s101 1.0.0", "com.example/s103 1.0.0"]);
    expect(await kept(tenantId)).toHaveLength(5);
    expect(await rowOf(id)).toMatchObject({ mirrored: 5, cursor: null, run_began: null });
  });

  it("writes nothing any more when its lease went to another", async () => {
    const { id, tenantId } = await mirroring();
    const slow = new OtherRegistry().put({ name: "com.example/a", version: "1.0.0", isLatest: true });
    const fast = new OtherRegistry().put({ name: "com.example/b", version: "1.0.0", isLatest: true });
    slow.failNext(async (asked) => {
      await expireLease(id);
      expect(await sync(fast, id)).toMatchObject({ state: "finished" });
      return slow.answer(asked);
    });
    expect(await sync(slow, id)).toMatchObject({ state: "busy", pages: 0 });
    expect(await kept(tenantId)).toEqual(["com.example/b 1.0.0 active*"]);
    expect(await rowOf(id)).toMatchObject({ mirrored: 1, lease_holder: null });
  });

  it("ends after so many pages or so much time, and the next goes on at once", async () => {
    const { id, tenantId } = await mirroring();
    const other = new OtherRegistry().put(...servers(5));
    other.pageSize = 1;
    expect(await sync(other, id, { pages: 2 })).toMatchObject({ state: "unfinished", pages: 2 });
    const row = await rowOf(id);
    expect([row["since"], row["last_run_at"], row["lease_until"]]).toEqual([null, null, null]);
    expect(new Date(String(row["next_run_at"])).getTime()).toBeLessThanOrEqual(Date.now());
    const clock = { now: Date.now() };
    other.failNext((asked) => {
      clock.now += 30_000;
      other.faults.clear();
      other.asked.pop();
      return other.answer(asked);
    });
    const late = { ...syncDeps(other), now: () => clock.now };
    expect(await syncSource(late, id, USUAL)).toMatchObject({ state: "unfinished", pages: 1 });
    expect(await sync(other, id)).toMatchObject({ state: "finished", pages: 2 });
    expect(await kept(tenantId)).toHaveLength(5);
  });

  it("needs a statement for the lease, one for the rules when it reads everything, and one for each page", async () => {
    const { id } = await mirroring();
    const other = new OtherRegistry().put(...servers(4));
    other.pageSize = 2;
    let statements = 0;
    const counting = { execute: (query: Parameters<Db["execute"]>[0]) => (statements++, db.execute(query)) } as Pick<
      Db,
      "execute"
    >;
    await syncSource({ ...syncDeps(other), db: counting }, id, USUAL);
    expect(statements).toBe(4);
    await syncSource({ ...syncDeps(other), db: counting }, id, USUAL);
    expect(statements).toBe(7);
  });
});

describe("a registry that fails", () => {
  it.each<[string, (other: OtherRegistry) => void, RegExp]>([
    ["answers 503", (other) => other.failNext(status(503)), /status 503/],
    ["never answers", (other) => other.failNext(silence), /did not answer within/],
    ["answers garbage", (other) => other.failNext(() => new Response("<html>")), /not a list of servers/],
    ["sends a page of 2 MB", (other) => other.failNext(() => new Response(" ".repeat(2_000_000))), /larger than/],
    [
      "cannot be reached",
      (other) => other.failNext(() => Promise.reject(new TypeError("fetch failed"))),
      /could not be reached/,
    ],
    [
      "leads in a circle",
      (other) =>
        other.failNext(() => Response.json({ servers: [], metadata: { nextCursor: "com.example/s101 1.0.0" } })),
      /form a loop/,
    ],
  ])("and %s leaves what is here as it was, and says why", async (_what, fail, reason) => {
    const { id, tenantId, api } = await mirroring();
    const other = new OtherRegistry().put(...servers(4));
    await sync(other, id);
    const before = await rowOf(id);
    other.pageSize = 2;
    other.now += MINUTE;
    other.change("com.example/s103", "1.0.0", { status: "deprecated" });
    other.faults.clear();
    const first = other.asked.length + 1;
    fail(other);
    const [at, fault] = [...other.faults][0] ?? [];
    expect(at).toBe(first);
    other.faults = new Map(fault ? [[first + 1, fault]] : []);
    const outcome = await sync(other, id, { pageMs: 200 });
    expect(outcome).toMatchObject({ state: "failed", pages: 1, problem: expect.stringMatching(reason) });
    expect(await kept(tenantId)).toHaveLength(4);
    expect(await kept(tenantId)).not.toContain("com.example/s103 1.0.0 deprecated*");
    const after = await rowOf(id);
    expect(after).toMatchObject({ since: before["since"], lease_until: null, last_problem: outcome.problem });
    const answer = await api("GET", SOURCES);
    expect(await answer.text()).toContain(outcome.problem ?? "?");
    other.faults.clear();
    expect(await sync(other, id)).toMatchObject({ state: "finished", problem: null });
    expect(await kept(tenantId)).toContain("com.example/s103 1.0.0 deprecated*");
    expect((await rowOf(id))["last_problem"]).toBeNull();
  });

  it("and does not know its own cursor any more is read from the first page again", async () => {
    const { id } = await mirroring();
    const other = new OtherRegistry().put(...servers(4));
    other.pageSize = 2;
    other.faults.set(2, status(400));
    expect(await sync(other, id)).toMatchObject({ state: "failed", pages: 1 });
    expect(await rowOf(id)).toMatchObject({ cursor: null, run_began: null, since: null });
    other.asked = [];
    other.faults.clear();
    expect(await sync(other, id)).toMatchObject({ state: "finished", read: 4 });
    expect(other.asked[0]).toEqual({ limit: "100" });
  });

  it("is asked again ten minutes later at most", async () => {
    const { id } = await mirroring({ everyMinutes: 600 });
    const other = new OtherRegistry().failNext(status(500));
    const began = Date.now();
    await sync(other, id);
    const next = new Date(String((await rowOf(id))["next_run_at"])).getTime();
    expect(next - began).toBeGreaterThanOrEqual(10 * MINUTE - 1);
    expect(next - Date.now()).toBeLessThanOrEqual(10 * MINUTE);
  });
});

describe("the sources whose time has come", () => {
  it("get a turn each, though one of them fails, and are due again after their interval", async () => {
    await disableSources();
    const [one, broken, two, later] = [await mirroring(), await mirroring(), await mirroring(), await newCurator()];
    const waiting = await makeSource(later.api, { everyMinutes: 30 });
    const other = new OtherRegistry().put(...servers(1)).failNext(status(500));
    await sync(new OtherRegistry(), waiting.id);
    await db.execute(
      sql`update registry_source set next_run_at = now() - interval '1 day' where id = ${broken.id}::uuid`,
    );
    await syncDue(syncDeps(other), USUAL);
    expect(other.asked).toHaveLength(3);
    expect((await rowOf(broken.id))["last_problem"]).toMatch(/500/);
    for (const { tenantId } of [one, two]) expect(await kept(tenantId)).toHaveLength(1);
    await syncDue(syncDeps(other), USUAL);
    expect(other.asked).toHaveLength(3);
    const inAnHour = { ...syncDeps(other), now: () => Date.now() + 31 * MINUTE };
    await syncDue(inAnHour, USUAL);
    expect(other.asked).toHaveLength(5);
  });
});
