import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, newKey } from "../../support/gateway.ts";
import { KEYS, postKey, newManager, rowsOf, trailOf, type Manager, type ShownKey } from "../../support/keys.ts";
import { managing } from "../../support/managed-clients.ts";
import { json } from "../../support/oauth.ts";

const HOUR = 3_600_000;

async function rotate({ api }: Manager, id: string, body: Record<string, unknown> = {}): Promise<ShownKey> {
  const answer = await api("POST", `${KEYS}/${id}/rotate`, body);
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
  return answer.json();
}

const seen = async ({ api }: Manager, id: string) => json(await api("GET", `${KEYS}/${id}`));
const fromNow = (time: unknown) => Date.parse(String(time)) - Date.now();

describe("a rotated key", () => {
  it("J15: has a successor that is the same in all but its secret", async () => {
    const manager = await newManager();
    const limits = {
      servers: ["notes"],
      tools: ["notes__add"],
      addresses: ["192.0.2.1"],
      rate: { perMinute: 6, burst: 3 },
      expiresAt: new Date(Date.now() + 48 * HOUR).toISOString(),
    };
    const old = await postKey(manager, { ...limits, quota: { max: 10, period: "total" } });
    await db.execute(sql`insert into quota_use values (${old.id}, 'total', 4)`);
    const { key, id, start, createdAt: _at, pending, ...rest } = await rotate(manager, old.id);
    expect(pending).toBe(false);
    expect(key).not.toBe(old.key);
    expect(start).toBe(key.slice(0, 13));
    const { key: _key, id: _id, start: _start, createdAt: _createdAt, ...before } = old;
    expect(rest).toEqual({ ...before, quota: { max: 10, period: "total", used: 4 } });
    expect(await rowsOf(id)).toMatchObject({ policy: { chain_id: old.id } });
    expect(await rowsOf((await rotate(manager, id)).id)).toMatchObject({ policy: { chain_id: old.id } });
  });

  it("J15: works until its overlap ends, a day unless said otherwise", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const made = await rotate(manager, id);
    const old = await seen(manager, id);
    expect(old).toMatchObject({ status: "active", rotatedTo: made.id });
    expect(fromNow(old["expiresAt"])).toBeGreaterThan(24 * HOUR - 60_000);
    expect(fromNow(old["expiresAt"])).toBeLessThanOrEqual(24 * HOUR);
    expect(made["expiresAt"]).toBeNull();
  });

  it("J15: ends at once with an overlap of 0", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    await rotate(manager, id, { overlapSeconds: 0 });
    expect(await seen(manager, id)).toMatchObject({ status: "expired" });
  });

  it("J15: ends no later than it would have without the rotation", async () => {
    const manager = await newManager();
    const expiresAt = new Date(Date.now() + HOUR).toISOString();
    const { id } = await postKey(manager, { expiresAt });
    const made = await rotate(manager, id, { overlapSeconds: 2_592_000 });
    expect((await seen(manager, id))["expiresAt"]).toBe(expiresAt);
    expect(made["expiresAt"]).toBe(expiresAt);
  });

  it.each([-1, 2_592_001, 1.5, "soon", null])("J15: has no overlap of %j", async (overlapSeconds) => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const answer = await manager.api("POST", `${KEYS}/${id}/rotate`, { overlapSeconds });
    expect([answer.status, (await json(answer))["detail"]]).toEqual([400, expect.stringContaining('"overlapSeconds"')]);
  });

  it("J15: is rotated once, also by several at the same time", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => manager.api("POST", `${KEYS}/${id}/rotate`, { overlapSeconds: 60 })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409, 409, 409]);
    const { rows } = await db.execute(sql`select 1 from api_key_policy where chain_id = ${id}`);
    expect(rows).toHaveLength(2);
  });

  it("R9: is rotated, changed, reported and revoked at the same time: it ends revoked, with one successor or none", async () => {
    for (let round = 0; round < 10; round++) {
      const manager = await newManager();
      const { id, key } = await postKey(manager);
      const at = `${KEYS}/${id}`;
      const tries: [string, string, unknown?][] = [
        ["POST", `${at}/rotate`, {}],
        ["PATCH", at, { servers: ["notes"], enabled: true }],
        ["POST", `${at}/rotate`, { overlapSeconds: 0 }],
        ["POST", `${KEYS}/report-leak`, { key }],
        ["PATCH", at, { name: "Desk" }],
        ["DELETE", at],
      ];
      const shuffled = [...tries.slice(round % tries.length), ...tries.slice(0, round % tries.length)];
      const answers = await Promise.all(shuffled.map((asked) => manager.api(...asked)));
      for (const { status } of answers) expect([200, 201, 409]).toContain(status);
      const rotated = answers.filter(({ status }) => status === 201);
      expect(rotated.length).toBeLessThanOrEqual(1);
      const [successor] = await Promise.all(rotated.map((answer) => answer.json<ShownKey>()));
      expect(await seen(manager, id)).toMatchObject({ status: "revoked", rotatedTo: successor?.id ?? null });
      const { rows } = await db.execute(sql`select 1 from api_key_policy where chain_id = ${id}`);
      expect(rows).toHaveLength(1 + rotated.length);
    }
  });

  it("J15: gets no later end by a change, but can be revoked, and its successor stays", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const made = await rotate(manager, id);
    expect((await manager.api("PATCH", `${KEYS}/${id}`, { expiresAt: null })).status).toBe(409);
    expect((await manager.api("PATCH", `${KEYS}/${id}`, { name: "Old one" })).status).toBe(200);
    expect((await manager.api("DELETE", `${KEYS}/${id}`)).status).toBe(200);
    expect(await seen(manager, made.id)).toMatchObject({ status: "active" });
  });

  it("J15: is none that is revoked or expired", async () => {
    const manager = await newManager();
    const [revoked, expired] = [await postKey(manager), await postKey(manager)];
    await manager.api("DELETE", `${KEYS}/${revoked.id}`);
    await db.execute(sql`update apikey set expires_at = now() at time zone 'utc' where id = ${expired.id}`);
    for (const { id } of [revoked, expired]) {
      expect((await manager.api("POST", `${KEYS}/${id}/rotate`, {})).status).toBe(409);
    }
  });

  it("J15: that is disabled has a disabled successor", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    await manager.api("PATCH", `${KEYS}/${id}`, { enabled: false });
    expect(await rotate(manager, id)).toMatchObject({ status: "disabled" });
  });

  it("J02: gives nobody a key that can do more than they can", async () => {
    const manager = await newManager({ scopes: ["keys:read", "keys:write", "mcp:tools", "audit:read"] });
    const { id } = await postKey(manager, { scopes: ["mcp:tools", "audit:read"] });
    const lesser = managing((await newKey({ userId: manager.userId, scopes: ["keys:write", "mcp:tools"] })).key);
    const answer = await lesser("POST", `${KEYS}/${id}/rotate`, {});
    expect([answer.status, (await json(answer))["code"]]).toEqual([403, "forbidden"]);
    expect(await seen(manager, id)).toMatchObject({ rotatedTo: null });
    await rotate(manager, id);
  });

  it.each([null, "null", "[]", "{}", '{"mcp":"tools"}', '{"mcp":null,"strange":["thing"]}'])(
    "J02: with the permissions %j can do nothing, and is rotated like others",
    async (permissions) => {
      const manager = await newManager();
      const { id } = await postKey(manager);
      await db.execute(sql`update apikey set permissions = ${permissions} where id = ${id}`);
      expect(await rotate(manager, id)).toMatchObject({ scopes: [] });
    },
  );

  it("J15: keeps its chain in the audit log", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const made = await rotate(manager, id, { overlapSeconds: 60 });
    const [, entry] = await trailOf(id);
    expect(entry).toMatchObject({
      event: "key.rotated",
      tenant_id: manager.tenantId,
      user_id: manager.userId,
      detail: { rotatedTo: made.id, overlapSeconds: 60 },
    });
    expect(JSON.stringify(entry)).not.toContain(made.key.slice(0, 14));
  });

  it("counts to the keys in use: a chain of overlaps is no way past their number", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    await db.execute(sql`
      insert into apikey (id, config_id, name, reference_id, key, enabled, created_at, updated_at)
      select gen_random_uuid()::text, 'default', 'x', ${manager.userId}, gen_random_uuid()::text, true, now(), now()
      from generate_series(1, 198)`);
    const made = await rotate(manager, id);
    expect((await manager.api("POST", `${KEYS}/${made.id}/rotate`, {})).status).toBe(409);
  });
});
