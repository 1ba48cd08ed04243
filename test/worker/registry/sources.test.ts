import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { removeSource } from "../../../src/registry/mirror/source.ts";
import { createWorker } from "../../../src/worker.ts";
import { db, newKey } from "../../support/gateway.ts";
import { NOBODY, organizationOf } from "../../support/keys.ts";
import { managing } from "../../support/managed-clients.ts";
import { gatewayWith, json } from "../../support/oauth.ts";
import { OtherRegistry } from "../../support/other-registry.ts";
import { outside } from "../../support/outside.ts";
import {
  disableSources,
  kept,
  makeSource,
  newCurator,
  rowOf,
  SOURCES,
  sync,
  type ShownSource,
} from "../../support/sources.ts";
import { background } from "../../support/worker.ts";

const HOST = "registry.example.com";
const two = () =>
  new OtherRegistry().put(
    { name: "com.example/a", version: "1.0.0", isLatest: true },
    { name: "com.example/b", version: "1.0.0", isLatest: true },
  );
const codeOf = async (answer: Response) => [answer.status, (await json(answer))["code"]];

afterAll(disableSources);

describe("the sources of an organization", () => {
  it("are added, shown, changed and removed, and the audit log says by whom", async () => {
    const { api, userId, tenantId } = await newCurator();
    const made = await makeSource(api, { url: `https://${HOST}/base/v0.1/`, deny: ["*/x"] });
    expect(made).toEqual({
      id: expect.any(String),
      url: `https://${HOST}/base`,
      allow: ["*"],
      deny: ["*/x"],
      enabled: true,
      everyMinutes: 60,
      servers: 0,
      isRunning: false,
      read: 0,
      lastRunAt: null,
      nextRunAt: expect.any(String),
      lastProblem: null,
    });
    await sync(two(), made.id);
    const changed = await json(
      await api("PATCH", `${SOURCES}/${made.id}`, { everyMinutes: 5, allow: ["com.example/*"] }),
    );
    expect(changed).toMatchObject({ everyMinutes: 5, allow: ["com.example/*"], deny: ["*/x"], servers: 2, read: 2 });
    const listed = await (await api("GET", SOURCES)).json<{ sources: ShownSource[] }>();
    expect(listed.sources).toEqual([changed]);
    expect(await json(await api("DELETE", `${SOURCES}/${made.id}`))).toEqual({ removed: true });
    expect(await json(await api("GET", SOURCES))).toEqual({ sources: [] });
    const { rows: left } = await db.execute(sql`select 1 from registry_server where tenant_id = ${tenantId}`);
    expect(left).toEqual([]);
    const { rows } = await db.execute<{ event: string }>(
      sql`select event from audit_log where target = ${made.id} and user_id = ${userId} and tenant_id = ${tenantId} order by at, id`,
    );
    expect(rows.map(({ event }) => event)).toEqual([
      "registry.source_added",
      "registry.source_changed",
      "registry.source_changed",
      "registry.source_removed",
    ]);
  });

  it.each<[string, Record<string, unknown>]>([
    ["http", { url: "http://registry.example.com" }],
    ["an address", { url: "https://10.0.0.1" }],
    ["IPv6 loopback", { url: "https://[::1]" }],
    ["this machine", { url: "https://localhost" }],
    ["a name of an inner network", { url: "https://registry.internal" }],
    ["credentials", { url: "https://a:b@registry.example.com" }],
    ["a query", { url: "https://registry.example.com/?a=b" }],
    ["no URL", { url: "registry" }],
    ["this gateway", { url: "https://localhost:8787" }],
    ["a pattern that is none", { deny: ["(a+)+$"] }],
    ["no allowed names", { allow: [] }],
    ["every minute", { everyMinutes: 1 }],
    ["a tenant", { tenantId: "other" }],
  ])("P07: are not made of %s", async (_what, fields) => {
    const { api } = await newCurator();
    const answer = await api("POST", SOURCES, { url: `https://${HOST}`, ...fields });
    expect(await codeOf(answer)).toEqual([400, "invalid_request"]);
    expect(await json(await api("GET", SOURCES))).toEqual({ sources: [] });
  });

  it("are ten at most, each registry once", async () => {
    const { api } = await newCurator();
    await makeSource(api);
    expect(await codeOf(await api("POST", SOURCES, { url: `https://${HOST}/v0.1` }))).toEqual([409, "conflict"]);
    for (let i = 1; i < 10; i++) await makeSource(api, { url: `https://${HOST}/${i}` });
    expect(await codeOf(await api("POST", SOURCES, { url: `https://${HOST}/10` }))).toEqual([409, "conflict"]);
  });

  it("O01: are for its owners and administrators, not for members", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    const as = (userId: string) => newCurator({ userId, tenantId: organization.id });
    const [owner, admin, member] = [
      await as(organization.owner),
      await as(organization.admin),
      await as(organization.member),
    ];
    const { id } = await makeSource(owner.api);
    expect((await admin.api("PATCH", `${SOURCES}/${id}`, { enabled: false })).status).toBe(200);
    for (const [method, path, body] of [
      ["GET", SOURCES],
      ["POST", SOURCES, { url: "https://second.example.com" }],
      ["PATCH", `${SOURCES}/${id}`, { enabled: true }],
      ["POST", `${SOURCES}/${id}/run`],
      ["DELETE", `${SOURCES}/${id}`],
    ] as const)
      expect(await codeOf(await member.api(method, path, body))).toEqual([403, "forbidden"]);
    expect(await rowOf(id)).toMatchObject({ enabled: false });
  });

  it("O03: of another organization are not found, and stay as they are", async () => {
    const [mine, other] = [await newCurator(), await newCurator()];
    const { id } = await makeSource(other.api);
    const before = await rowOf(id);
    for (const [method, path, body] of [
      ["PATCH", `${SOURCES}/${id}`, { enabled: false }],
      ["POST", `${SOURCES}/${id}/run`],
      ["DELETE", `${SOURCES}/${id}`],
      ["DELETE", `${SOURCES}/${crypto.randomUUID()}`],
    ] as const)
      expect(await codeOf(await mine.api(method, path, body))).toEqual([404, "not_found"]);
    expect((await mine.api("PATCH", `${SOURCES}/1`, { enabled: false })).status).toBe(400);
    expect(await rowOf(id)).toEqual(before);
    expect(await json(await mine.api("GET", SOURCES))).toEqual({ sources: [] });
  });

  it("O01: are not for credentials that may only read", async () => {
    const { key } = await newKey({ scopes: ["mcp-registry:read"] });
    expect((await managing(key)("GET", SOURCES)).status).toBe(403);
  });
});

describe("a source of thousands of servers", () => {
  const COUNT = 4_500;
  const withMany = async () => {
    const curator = await newCurator();
    const { id } = await makeSource(curator.api);
    await db.execute(sql`
      with s as (
        insert into registry_server (tenant_id, name, skeleton, source_id)
        select ${curator.tenantId}, 'com.example/s' || i, 's', ${id}::uuid from generate_series(1, ${COUNT}::int) i returning id, name
      )
      insert into registry_version (server_id, tenant_id, name, version, is_latest, definition, status_changed_at, published_at, updated_at)
      select id, ${curator.tenantId}, name, '1.0.0', true, '{}', now(), now(), now() from s`);
    return { ...curator, id };
  };
  const statuses = async (tenantId: string) => {
    const { rows } = await db.execute<{ status: string; count: number }>(
      sql`select status, count(*)::int as count from registry_version where tenant_id = ${tenantId} group by status`,
    );
    return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
  };

  it("has all of them marked as deleted when the rules exclude them", async () => {
    const { api, id, tenantId } = await withMany();
    await api("PATCH", `${SOURCES}/${id}`, { deny: ["COM.example/*"] });
    expect(await sync(two(), id)).toMatchObject({ state: "finished" });
    expect(await statuses(tenantId)).toEqual({ deleted: COUNT });
  });

  it("is removed with all of them, in several requests if it takes long", async () => {
    const { api, id, tenantId, userId } = await withMany();
    const actor = { ...NOBODY, tenantId, userId };
    expect(await removeSource({ db }, actor, id, { clock: () => 2, until: 1 })).toBe(false);
    expect(await statuses(tenantId)).toEqual({ active: 2_500 });
    expect(await rowOf(id)).toMatchObject({ enabled: false });
    expect(await sync(two(), id)).toMatchObject({ state: "busy" });
    const answer = await api("DELETE", `${SOURCES}/${id}`);
    expect([answer.status, await json(answer)]).toEqual([200, { removed: true }]);
    expect(await statuses(tenantId)).toEqual({});
    expect(await rowOf(id)).toEqual({});
  });
});

describe("mirroring on demand and by the clock", () => {
  /** Runs a source through the gateway's own outbound guard. */
  const run = async (id: string, key: string) => {
    const answer = await gatewayWith({})(`${SOURCES}/${id}/run`, { method: "POST", headers: { "x-api-key": key } });
    return [answer.status, await json(answer)] as const;
  };
  const withSource = async () => {
    const { key, userId } = await newKey({ scopes: ["mcp-registry:write"] });
    const { id } = await makeSource(managing(key));
    return { key, id, tenantId: `personal-${userId}` };
  };

  it("takes a turn and says what came of it", async () => {
    const { key, id, tenantId } = await withSource();
    const other = two();
    const [status, outcome] = await outside({ [HOST]: other.answer }, () => run(id, key));
    expect([status, outcome]).toEqual([
      200,
      { state: "finished", pages: 1, read: 2, changed: 2, leftOut: 0, problem: null },
    ]);
    expect(await kept(tenantId)).toHaveLength(2);
  });

  it("is not done for a disabled source", async () => {
    const { key, id } = await withSource();
    await managing(key)("PATCH", `${SOURCES}/${id}`, { enabled: false });
    const [status, body] = await outside({}, () => run(id, key));
    expect([status, body["code"]]).toEqual([409, "conflict"]);
  });

  it.each<[string, Record<string, readonly string[] | null>, RegExp]>([
    ["leads to a private address", { [HOST]: ["10.0.0.5"] }, /not public/],
    ["leads to a public and a private address", { [HOST]: ["93.184.216.34", "127.0.0.1"] }, /not public/],
    ["has no address", { [HOST]: [] }, /no address/],
    ["cannot be looked up", { [HOST]: null }, /resolved/],
  ])("P07: never asks a host whose name %s", async (_what, addresses, reason) => {
    const { key, id } = await withSource();
    const other = two();
    const [status, outcome] = await outside({ [HOST]: other.answer }, () => run(id, key), addresses);
    expect([status, outcome["state"], outcome["problem"]]).toEqual([200, "failed", expect.stringMatching(reason)]);
    expect(other.asked).toEqual([]);
  });

  it("P07: follows no redirect", async () => {
    const { key, id } = await withSource();
    const hosts = {
      "*": () => new Response(null, { status: 302, headers: { location: "https://evil.example.com/" } }),
    };
    await outside(hosts, async ({ asked }) => {
      const [, outcome] = await run(id, key);
      expect(outcome["problem"]).toMatch(/redirect/);
      expect(asked).toHaveLength(1);
    });
  });

  it("is done by the scheduled handler for what is due", async () => {
    await disableSources();
    const { id, tenantId } = await withSource();
    const other = two();
    await outside({ [HOST]: other.answer }, () =>
      createWorker(() => undefined, background).scheduled(createScheduledController(), env),
    );
    expect(await kept(tenantId)).toHaveLength(2);
    expect(await rowOf(id)).toMatchObject({ mirrored: 2, last_problem: null });
    await outside({ [HOST]: other.answer }, () =>
      createWorker(() => undefined, background).scheduled(createScheduledController(), env),
    );
    expect(other.asked).toHaveLength(1);
  });
});
