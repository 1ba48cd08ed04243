import { sql } from "drizzle-orm";
import { describe, expect, it, vi } from "vitest";
import { db, eventually, newKey, newUser, request, resetStats, withFault } from "../../support/gateway.ts";
import { newManager, organizationOf } from "../../support/keys.ts";
import { managing } from "../../support/managed-clients.ts";
import {
  addServer,
  addView,
  expectProblem,
  namesIn,
  newRegistry,
  newWord,
  read,
  registryRequests,
  type ListAnswer,
} from "../../support/registry.ts";

const VIEWS = "/api/v1/registry/views";
const LIST = "/v0.1/servers";
const base62 = () => `${crypto.randomUUID()}${crypto.randomUUID()}`.replaceAll("-", "").slice(0, 43);

interface MadeView {
  id: string;
  url: string;
  endsAt: string | null;
}

async function privateRegistry(options?: Parameters<typeof addView>[1]) {
  const { tenantId, headers } = await newRegistry();
  const name = `com.example/${newWord()}`;
  await addServer({ tenantId, name });
  return { tenantId, headers, name, ...(await addView(tenantId, options)) };
}

const newViewManager = (options = {}) =>
  newManager({ scopes: ["mcp-registry:read", "mcp-registry:write"], ...options });

async function makeView(api: ReturnType<typeof managing>, fields: Record<string, unknown> = {}): Promise<MadeView> {
  const answer = await api("POST", VIEWS, { name: "Editors", ...fields });
  if (answer.status !== 201) throw new Error(`no view: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const pathOf = ({ url }: Pick<MadeView, "url">) => `${new URL(url).pathname}${LIST}`;
const usesOf = async (id: string) =>
  (await db.execute<{ ip: string }>(sql`select * from audit_log where event = 'registry.view_used' and target = ${id}`))
    .rows;

describe("a private view", () => {
  it.each(["v0.1", "v0"])("R19: shows its tenant's servers under %s to whoever has its address", async (version) => {
    const { base, name } = await privateRegistry();
    expect(namesIn(await read<ListAnswer>(`${base}/${version}/servers`))).toEqual([name]);
    const detail = `${base}/${version}/servers/${encodeURIComponent(name)}/versions`;
    expect(namesIn(await read<ListAnswer>(detail))).toEqual([name]);
    await read(`${detail}/latest`);
  });

  it("O02: shows no other tenant's servers, whatever else is sent along", async () => {
    const one = await privateRegistry();
    const two = await privateRegistry();
    expect(namesIn(await read<ListAnswer>(`${one.base}${LIST}`, two.headers))).toEqual([one.name]);
    expect((await request(`${one.base}${LIST}/${encodeURIComponent(two.name)}/versions/latest`)).status).toBe(404);
  });

  it("is one request to Postgres, and none while the answer is fresh", async () => {
    const { base } = await privateRegistry();
    await resetStats();
    const answer = await request(`${base}${LIST}`);
    expect(answer.headers.get("cache-control")).toMatch(/^private, /);
    expect(await registryRequests()).toHaveLength(1);
    await read(`${base}${LIST}`);
    expect(await registryRequests()).toHaveLength(1);
    await read(`${base}${LIST}?limit=5`);
    expect(await registryRequests()).toHaveLength(2);
  });

  it.each([
    ["of another form", "short"],
    ["that nobody has", base62()],
    ["with a sign in it", `${base62().slice(0, 42)}-`],
  ])("O02: a secret %s is answered like any address where there is nothing", async (_, secret) => {
    const answer = await request(`/r/${secret}${LIST}`);
    const { code, detail } = await answer.json<Record<string, string>>();
    const nothing = await (await request("/nothing/here")).json<Record<string, string>>();
    expect([answer.status, code, detail]).toEqual([404, nothing["code"], nothing["detail"]]);
  });

  it("D: guesses are limited for each address, and do not shut out who knows a secret", async () => {
    const { base } = await privateRegistry();
    const headers = { "cf-connecting-ip": "192.0.2.99" };
    await read(`${base}${LIST}`, headers);
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++) statuses.push((await request(`/r/${base62()}${LIST}`, { headers })).status);
    expect(statuses.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 404));
    expect(statuses.at(-1)).toBe(429);
    await read(`${base}${LIST}`, headers);
  });

  it("answers only addresses on its list", async () => {
    const { base, name } = await privateRegistry({ addresses: ["192.0.2.0/24", "2001:db8:7::/48"] });
    const from = (address: string) => request(`${base}${LIST}`, { headers: { "cf-connecting-ip": address } });
    await expectProblem(await from("198.51.100.7"), 403);
    for (const address of ["192.0.2.7", "2001:db8:7::1"])
      expect(namesIn(await (await from(address)).json())).toEqual([name]);
    await expectProblem(await from("2001:db8:8::1"), 403);
  });

  it("ends at its time, also in an isolate that knows it", async () => {
    const { base } = await privateRegistry({ endsAt: new Date(Date.now() + 3_000) });
    await read(`${base}${LIST}`);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_001 });
    try {
      await expectProblem(await request(`${base}${LIST}`), 404);
    } finally {
      vi.useRealTimers();
    }
  });

  it("notes its last use, and in the audit log each address once", async () => {
    const { base, id, tenantId } = await privateRegistry();
    const headers = { "cf-connecting-ip": "192.0.2.50", "user-agent": "Editor/1.0" };
    await read(`${base}${LIST}`, headers);
    await read(`${base}${LIST}?limit=1`, headers);
    await read(`${base}${LIST}`, { "cf-connecting-ip": "192.0.2.51" });
    const uses = await eventually(async () => {
      const rows = await usesOf(id);
      return rows.length >= 2 ? rows : undefined;
    });
    expect(uses.map(({ ip }) => ip).toSorted()).toEqual(["192.0.2.50", "192.0.2.51"]);
    expect(uses[0]).toMatchObject({ tenant_id: tenantId, outcome: "ok" });
    const { rows } = await db.execute(sql`select last_used_at from registry_view where id = ${id}::uuid`);
    expect(rows[0]?.["last_used_at"]).not.toBeNull();
  });

  it("goes on with what it last answered while Postgres does not, within its rules", async () => {
    const { base, name } = await privateRegistry({ addresses: ["192.0.2.0/24"] });
    const headers = { "cf-connecting-ip": "192.0.2.7" };
    await read(`${base}${LIST}`, headers);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      await withFault({ neon: { mode: "down" } }, async () => {
        const answer = await request(`${base}${LIST}`, { headers });
        expect(answer.headers.get("warning")).toContain("110");
        expect(namesIn(await answer.json())).toEqual([name]);
        await expectProblem(await request(`${base}${LIST}`, { headers: { "cf-connecting-ip": "198.51.100.7" } }), 403);
        await expectProblem(await request(`/r/${base62()}${LIST}`), 503);
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it("keeps its secret out of the log", async () => {
    const { base, secret } = await privateRegistry();
    const lines: string[] = [];
    const spies = (["log", "info", "warn", "error"] as const).map((method) =>
      vi.spyOn(console, method).mockImplementation((...line) => void lines.push(JSON.stringify(line))),
    );
    try {
      await withFault({ neon: { mode: "down" } }, () => request(`${base}${LIST}`));
      await request(`${base}${LIST}`, { method: "POST" });
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    expect(lines.join("\n")).toContain("request.unavailable");
    expect(lines.join("\n")).not.toContain(secret);
  });
});

describe("managing private views", () => {
  it("makes one whose address is shown once and of which only a hash is kept", async () => {
    const { api, tenantId, userId } = await newViewManager();
    const name = `com.example/${newWord()}`;
    await addServer({ tenantId, name });
    const view = await makeView(api, { addresses: ["10.0.0.0/8", "192.0.2.1"] });
    expect(view).toMatchObject({
      name: "Editors",
      addresses: ["10.0.0.0/8", "192.0.2.1"],
      createdBy: userId,
      endsAt: null,
    });
    expect(view.url).toMatch(/^http:\/\/localhost:8787\/r\/[0-9A-Za-z]{43}$/);
    expect(namesIn(await read<ListAnswer>(pathOf(view)))).toEqual([name]);
    const secret = view.url.split("/").at(-1) ?? "";
    const listed = await (await api("GET", VIEWS)).text();
    expect(JSON.parse(listed)).toMatchObject({ views: [{ id: view.id, name: "Editors" }] });
    const { rows } = await db.execute(sql`select v::text from registry_view v where id = ${view.id}::uuid`);
    for (const text of [listed, JSON.stringify(rows)]) expect(text).not.toContain(secret);
  });

  it("gives a view another address, the old one until the overlap ends", async () => {
    const { api } = await newViewManager();
    const old = await makeView(api, { addresses: ["10.0.0.0/8"] });
    await read(pathOf(old));
    const answer = await api("POST", `${VIEWS}/${old.id}/rotate`, { overlapSeconds: 3 });
    expect(answer.status).toBe(201);
    const made = await answer.json<MadeView>();
    expect(made).toMatchObject({ name: "Editors", addresses: ["10.0.0.0/8"], endsAt: null });
    for (const view of [old, made]) await read(pathOf(view));
    expect((await api("POST", `${VIEWS}/${old.id}/rotate`, {})).status).toBe(409);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_001 });
    try {
      expect((await request(pathOf(old))).status).toBe(404);
      await read(pathOf(made));
    } finally {
      vi.useRealTimers();
    }
  });

  it("rotates once when asked by several at once", async () => {
    const { api } = await newViewManager();
    const { id } = await makeView(api);
    const answers = await Promise.all(Array.from({ length: 6 }, () => api("POST", `${VIEWS}/${id}/rotate`, {})));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409, 409, 409]);
  });

  it("ends a view at once", async () => {
    const { api } = await newViewManager();
    const view = await makeView(api);
    await read(pathOf(view));
    expect(await (await api("DELETE", `${VIEWS}/${view.id}`)).json()).toEqual({ deleted: true });
    expect((await request(pathOf(view))).status).toBe(404);
    expect((await api("DELETE", `${VIEWS}/${view.id}`)).status).toBe(404);
  });

  it("is written down in the audit log, without the secret", async () => {
    const { api, tenantId, userId, id: keyId } = await newViewManager();
    const old = await makeView(api);
    const made = await (await api("POST", `${VIEWS}/${old.id}/rotate`, {})).json<MadeView>();
    await api("DELETE", `${VIEWS}/${made.id}`);
    const { rows } = await db.execute(
      sql`select * from audit_log where tenant_id = ${tenantId} and event like 'registry.view%' order by at, id`,
    );
    expect(rows.map(({ event, target }) => [event, target])).toEqual([
      ["registry.view_created", old.id],
      ["registry.view_rotated", old.id],
      ["registry.view_deleted", made.id],
    ]);
    expect(rows[0]).toMatchObject({ user_id: userId, credential_kind: "api_key", credential_id: keyId, outcome: "ok" });
    for (const { url } of [old, made]) expect(JSON.stringify(rows)).not.toContain(url.split("/").at(-1));
  });

  it("O02: is for owners and administrators of the organization, and there for its own views", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    const manager = async (userId: string) => newViewManager({ userId, tenantId: organization.id });
    const { id } = await makeView((await manager(organization.owner)).api);
    const stranger = await newViewManager();
    const member = await manager(organization.member);
    for (const [method, path, body] of [
      ["POST", VIEWS, { name: "Mine" }],
      ["GET", VIEWS, undefined],
      ["POST", `${VIEWS}/${id}/rotate`, {}],
      ["DELETE", `${VIEWS}/${id}`, undefined],
    ] as const) {
      expect((await member.api(method, path, body)).status).toBe(403);
      if (path !== VIEWS) expect((await stranger.api(method, path, body)).status).toBe(404);
    }
    expect(await (await stranger.api("GET", VIEWS)).json()).toEqual({ views: [] });
    expect((await (await manager(organization.admin)).api("DELETE", `${VIEWS}/${id}`)).status).toBe(200);
  });

  it("O03: is not for a credential that is held to less than its scopes say", async () => {
    const { api, id } = await newViewManager();
    await db.execute(sql`update api_key_policy set addresses = '{10.0.0.0/8}' where key_id = ${id}`);
    expect((await api("POST", VIEWS, { name: "Mine" })).status).toBe(403);
  });

  it.each([
    {},
    { name: "" },
    { name: "a\u0000b" },
    { name: "x".repeat(101) },
    { name: "x", addresses: [] },
    { name: "x", addresses: ["10.0.0.1/8"] },
    { name: "x", addresses: ["example.com"] },
    { name: "x", tenantId: "other" },
  ])("O03: refuses %j", async (body) => {
    const { api } = await newViewManager();
    expect((await api("POST", VIEWS, body)).status).toBe(400);
  });

  it("stops at fifty views in use", async () => {
    const { api, tenantId } = await newViewManager();
    await Promise.all(Array.from({ length: 50 }, () => addView(tenantId)));
    expect((await api("POST", VIEWS, { name: "One more" })).status).toBe(409);
    await db.execute(
      sql`update registry_view set ends_at = now() where id in (select id from registry_view where tenant_id = ${tenantId} limit 1)`,
    );
    await makeView(api);
  });

  it("needs the scope to write", async () => {
    const { id } = await newUser();
    const { key } = await newKey({ userId: id, scopes: ["mcp-registry:read"] });
    expect((await managing(key)("GET", VIEWS)).status).toBe(403);
  });
});
