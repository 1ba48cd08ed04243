import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { KEY_SCOPES } from "../../../src/identity/scopes.ts";
import { updateKey } from "../../../src/keys/changes.ts";
import { createKey } from "../../../src/keys/creation.ts";
import type { KeyActor } from "../../../src/keys/keys.ts";
import { isApiKey } from "../../../src/keys/token.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import { createServices } from "../../../src/services.ts";
import { config, db, newKey, newUser, request } from "../../support/gateway.ts";
import { KEYS, postKey, newManager, NOBODY, rowsOf, trailOf, type ShownKey } from "../../support/keys.ts";
import { clientToken, byBasic, managing, newManagedClient, setRole } from "../../support/managed-clients.ts";
import { json } from "../../support/oauth.ts";
import { background } from "../../support/worker.ts";

const services = createServices(config, background);
const DAY = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();
const codeOf = async (answer: Response) => [answer.status, (await json(answer))["code"]];
const keysOf = async (userId: string) =>
  (await db.execute(sql`select id from apikey where reference_id = ${userId}`)).rows.length;

describe("a new key", () => {
  it("R7: is shown once, and is what was asked for", async () => {
    const manager = await newManager();
    const fields = {
      name: "Build server",
      scopes: ["mcp:tools"],
      expiresAt: inDays(30),
      servers: ["notes"],
      tools: ["notes__add"],
      addresses: ["192.0.2.0/24", "2001:db8::/32"],
      rate: { perMinute: 60, burst: 10 },
      quota: { max: 1_000_000_000_000, period: "month" },
    };
    const answer = await manager.api("POST", KEYS, fields);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const { key, ...shown } = await answer.json<ShownKey>();
    expect(key).toMatch(/^mrg_live_[0-9A-Za-z]{49}$/);
    expect(isApiKey(key)).toBe(true);
    expect(shown).toEqual({
      ...fields,
      id: expect.any(String),
      start: key.slice(0, 13),
      tenantId: manager.tenantId,
      owner: "user",
      quota: { ...fields.quota, used: 0 },
      status: "active",
      createdAt: expect.any(String),
      lastUsedAt: null,
      disabledUntil: null,
      revokedAt: null,
      revokedReason: null,
      rotatedTo: null,
    });
    expect(await json(await manager.api("GET", `${KEYS}/${shown.id}`))).toEqual(shown);
    const { keys } = await (await manager.api("GET", KEYS)).json<{ keys: ShownKey[] }>();
    expect(keys.map(({ id }) => id)).toEqual([shown.id, manager.id]);
    expect(keys[0]).toEqual(shown);
    expect(await rowsOf(shown.id)).toMatchObject({
      key: await sha256(key),
      reference_id: manager.userId,
      config_id: "default",
      rate_limit_enabled: false,
      policy: { chain_id: shown.id, created_by: manager.userId, version: 1 },
    });
  });

  it("R7: tells the calls that its quota has been used for, of the period that runs", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager, { quota: { max: 10, period: "total" } });
    await db.execute(sql`insert into quota_use values (${id}, 'total', 4), (${id}, '2001-01', 9)`);
    const quotaOf = async () => (await json(await manager.api("GET", `${KEYS}/${id}`)))["quota"];
    expect(await quotaOf()).toEqual({ max: 10, period: "total", used: 4 });
    await manager.api("PATCH", `${KEYS}/${id}`, { quota: { max: 10, period: "month" } });
    expect(await quotaOf()).toEqual({ max: 10, period: "month", used: 0 });
  });

  it("J10: is stored as a hash and its first characters, and appears nowhere afterwards", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager);
    const seen = [
      await (await manager.api("GET", KEYS)).text(),
      await (await manager.api("GET", `${KEYS}/${id}`)).text(),
      await (await manager.api("PATCH", `${KEYS}/${id}`, { name: "Desk" })).text(),
      JSON.stringify(await rowsOf(id)),
      JSON.stringify(await trailOf(id)),
    ];
    for (const text of seen) {
      expect(text).not.toContain(key.slice(0, 14));
      expect(text).not.toContain(key.slice(-20));
    }
  });

  it("R7: has the usual scopes of its maker when none are named", async () => {
    const [some, few] = [await newManager(), await newManager({ scopes: ["keys:write", "mcp:tools"] })];
    expect((await postKey(some))["scopes"]).toEqual(["mcp:tools", "mcp-registry:read"]);
    expect((await postKey(few))["scopes"]).toEqual(["mcp:tools"]);
    const none = await newManager({ scopes: ["keys:write"] });
    expect(await codeOf(await none.api("POST", KEYS, { name: "x" }))).toEqual([400, "invalid_request"]);
  });

  it.each(KEY_SCOPES.filter((scope) => scope !== "keys:write"))(
    "J02: gets the scope %s from nobody who lacks it, neither at first nor later",
    async (scope) => {
      const manager = await newManager({ scopes: KEY_SCOPES.filter((held) => held !== scope && held !== "admin") });
      expect(await codeOf(await manager.api("POST", KEYS, { name: "x", scopes: [scope] }))).toEqual([403, "forbidden"]);
      const { id } = await postKey(manager, { scopes: ["keys:write"] });
      const change = { scopes: ["keys:write", scope] };
      expect(await codeOf(await manager.api("PATCH", `${KEYS}/${id}`, change))).toEqual([403, "forbidden"]);
      expect(await json(await newReader(manager.userId).then((api) => api("GET", `${KEYS}/${id}`)))).toMatchObject({
        scopes: ["keys:write"],
      });
    },
  );

  it("J02: has the scope admin from administrators only, whatever their credential says", async () => {
    const manager = await newManager({ scopes: ["admin", "keys:write"] });
    const { id } = await postKey(manager, { scopes: ["keys:write"] });
    const actor: KeyActor = { ...NOBODY, userId: manager.userId, scopes: new Set(KEY_SCOPES) };
    const fields = { name: "x", scopes: ["admin"] as const };
    const tries = async () => [
      (await manager.api("POST", KEYS, fields)).status,
      (await manager.api("PATCH", `${KEYS}/${id}`, { scopes: ["admin"] })).status,
      (await createKey({ db }, actor, fields, Date.now())).state,
      (await updateKey({ db, flushOutbox: services.flushOutbox }, actor, id, { scopes: ["admin"] }, Date.now())).state,
    ];
    expect(await tries()).toEqual([403, 403, "forbidden", "forbidden"]);
    await setRole(manager.userId, "admin");
    await services.flushOutbox();
    expect(await tries()).toEqual([201, 200, "done", "done"]);
  });

  it.each([
    ["servers", `{notes}`],
    ["tools", `{echo}`],
    ["addresses", `{0.0.0.0/0,::/0}`],
  ])("J02: is not made, widened or rotated by a key that is held to some %s", async (column, list) => {
    const manager = await newManager();
    const { id } = await postKey(manager, { servers: ["notes"] });
    const held = await newKey({ userId: manager.userId, scopes: ["keys:write", "mcp:tools"] });
    await db.execute(sql`update api_key_policy set ${sql.raw(column)} = ${list}::text[] where key_id = ${held.id}`);
    const api = managing(held.key);
    const tries: [string, string, unknown][] = [
      ["POST", KEYS, { name: "x", scopes: ["mcp:tools"] }],
      ["PATCH", `${KEYS}/${id}`, { servers: null }],
      ["PATCH", `${KEYS}/${held.id}`, { [column]: null }],
      ["PATCH", `${KEYS}/${id}`, { enabled: true }],
      ["POST", `${KEYS}/${id}/rotate`, {}],
    ];
    for (const [method, path, body] of tries)
      expect(await codeOf(await api(method, path, body))).toEqual([403, "forbidden"]);
    expect((await api("PATCH", `${KEYS}/${id}`, { name: "Desk", enabled: false })).status).toBe(200);
    expect((await api("POST", `${KEYS}/${held.id}/rotate`, { overlapSeconds: 0 })).status).toBe(201);
  });

  it.each([0, -1, "tomorrow", "2001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", inDays(366), "NaN"])(
    "J11: does not expire at %j",
    async (expiresAt) => {
      const manager = await newManager();
      const answer = await manager.api("POST", KEYS, { name: "x", expiresAt });
      expect([answer.status, (await json(answer))["detail"]]).toEqual([400, expect.stringContaining("expiresAt")]);
    },
  );

  it.each([
    { addresses: ["10.0.0.0/8x"] },
    { addresses: [] },
    { servers: ["Not a slug"] },
    { tools: [] },
    { rate: { perMinute: 0, burst: 1 } },
    { quota: { max: 0, period: "month" } },
    { quota: { max: 5, period: "week" } },
    { name: "" },
    { name: "a\u0000b" },
    { scopes: ["openid"] },
    { userId: "somebody" },
    { permissions: { admin: ["*"] } },
    { tenantId: 7 },
    { owner: "gateway" },
  ])("J01: is not made of %j", async (fields) => {
    const manager = await newManager();
    expect(await codeOf(await manager.api("POST", KEYS, { name: "x", ...fields }))).toEqual([400, "invalid_request"]);
    expect(await keysOf(manager.userId)).toBe(1);
  });

  it("J01: is for its maker, and not made without a credential or by a machine", async () => {
    const other = await newUser();
    const manager = await newManager();
    for (const fields of [{ userId: other.id }, { referenceId: other.id }]) {
      expect((await manager.api("POST", KEYS, { name: "x", ...fields })).status).toBe(400);
    }
    const anonymous = await request(KEYS, { method: "POST", body: JSON.stringify({ name: "x" }) });
    expect(anonymous.status).toBe(401);
    const client = await newManagedClient({
      clientCredentialsScopes: ["keys:write", "keys:read"],
      tenantId: other.tenantId,
    });
    const token = String((await json(await clientToken(byBasic(client))))["access_token"]);
    const machine = await request(KEYS, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "x", scopes: ["keys:read"] }),
    });
    expect(await codeOf(machine)).toEqual([403, "forbidden"]);
    expect(await keysOf(other.id)).toBe(0);
  });

  it("is refused beyond two hundred keys in use, also when several are made at once", async () => {
    const manager = await newManager();
    await db.execute(sql`
      insert into apikey (id, config_id, name, reference_id, key, enabled, created_at, updated_at)
      select gen_random_uuid()::text, 'default', 'x', ${manager.userId}, gen_random_uuid()::text, true, now(), now()
      from generate_series(1, 197)`);
    const answers = await Promise.all(Array.from({ length: 6 }, () => manager.api("POST", KEYS, { name: "x" })));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, 409, 409, 409, 409]);
    const [made] = answers.filter(({ status }) => status === 201);
    const { id } = made ? await made.json<ShownKey>() : { id: "" };
    expect((await manager.api("DELETE", `${KEYS}/${id}`)).status).toBe(200);
    expect((await manager.api("POST", KEYS, { name: "x" })).status).toBe(201);
  });
});

async function newReader(userId: string) {
  return managing((await newKey({ userId, scopes: ["keys:read"] })).key);
}

describe("keys", () => {
  it("are listed newest first, in pages", async () => {
    const manager = await newManager();
    const made: string[] = [];
    for (let i = 0; i < 4; i++) made.unshift((await postKey(manager)).id);
    const [, newer = "", older = ""] = made;
    await db.execute(sql`
      update apikey set created_at = other.created_at + interval '1 microsecond' * case apikey.id when ${older} then 700 else 200 end
      from apikey other where other.id = ${newer} and apikey.id in (${newer}, ${older})`);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? "" : `&cursor=${cursor}`;
      const page = await (
        await manager.api("GET", `${KEYS}?limit=${seen.length === 0 ? 2 : 1}${query}`)
      ).json<{ keys: ShownKey[]; nextCursor: string | null }>();
      expect(page.keys.length).toBeLessThanOrEqual(2);
      seen.push(...page.keys.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([...made, manager.id]);
  });

  it("O03: of somebody else answer like keys that do not exist", async () => {
    const [owner, stranger] = [await newManager(), await newManager()];
    const { id } = await postKey(owner);
    const before = await rowsOf(id);
    const tries: [string, string, unknown?][] = [
      ["GET", ""],
      ["PATCH", "", { enabled: false }],
      ["POST", "/rotate", {}],
      ["POST", "/revoke"],
      ["DELETE", ""],
    ];
    for (const [method, path, body] of tries) {
      const answers = [];
      for (const of of [id, crypto.randomUUID()]) {
        const { requestId: _, ...problem } = await json(await stranger.api(method, `${KEYS}/${of}${path}`, body));
        answers.push(problem);
      }
      expect(answers[0]).toMatchObject({ status: 404, code: "not_found" });
      expect(answers[0]).toEqual(answers[1]);
    }
    expect(await rowsOf(id)).toEqual(before);
    expect((await trailOf(id)).map(({ event }) => event)).toEqual(["key.created"]);
    expect(await (await stranger.api("GET", KEYS)).text()).not.toContain(id);
  });

  it.each(["%00", "a%20b", "%27or%201=1", "x".repeat(101)])("O03: have no id like %s", async (id) => {
    const { api } = await newManager();
    expect((await api("GET", `${KEYS}/${id}`)).status).toBe(400);
  });

  it("R9: change field by field, and each change raises the version", async () => {
    const manager = await newManager();
    const { id, key: _key, ...made } = await postKey(manager);
    const expiresAt = inDays(1);
    const changes: Record<string, unknown>[] = [
      { name: "Desk" },
      { scopes: ["mcp:tools"] },
      { servers: ["notes"], tools: ["notes__add"], addresses: ["192.0.2.1"] },
      { rate: { perMinute: 5, burst: 2 } },
      { expiresAt },
      { enabled: false },
      { servers: null, tools: null, addresses: null, rate: null, expiresAt: null, enabled: true },
    ];
    let expected: Record<string, unknown> = { ...made, id };
    let version = 1;
    for (const change of changes) {
      const { enabled, ...rest } = change;
      expected = { ...expected, ...rest, status: enabled === false ? "disabled" : "active" };
      const answer = await manager.api("PATCH", `${KEYS}/${id}`, change);
      expect([answer.status, await json(answer)]).toEqual([200, expected]);
      const { policy } = (await rowsOf(id)) as { policy: { version: number } };
      expect(policy.version).toBeGreaterThan(version);
      ({ version } = policy);
    }
    expect((await manager.api("PATCH", `${KEYS}/${id}`, {})).status).toBe(200);
    expect(await rowsOf(id)).toMatchObject({ policy: { version } });
    const events = (await trailOf(id)).map(({ event, detail }) => [event, (detail as { fields?: string }).fields]);
    expect(events.slice(1)).toEqual(changes.map((change) => ["key.changed", Object.keys(change).toSorted().join(" ")]));
  });

  it("J11: say that they have expired or are locked", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const statusOf = async () => (await json(await manager.api("GET", `${KEYS}/${id}`)))["status"];
    await db.execute(sql`update api_key_policy set disabled_until = now() + interval '1 hour' where key_id = ${id}`);
    expect(await statusOf()).toBe("locked");
    await db.execute(
      sql`update apikey set expires_at = now() at time zone 'utc' - interval '1 second' where id = ${id}`,
    );
    expect(await statusOf()).toBe("expired");
  });

  it("R9: are revoked for good, as often as one likes", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const revoked = await json(await manager.api("POST", `${KEYS}/${id}/revoke`));
    expect(revoked).toMatchObject({ status: "revoked", revokedReason: "revoked", revokedAt: expect.any(String) });
    for (const [method, path] of [
      ["POST", "/revoke"],
      ["DELETE", ""],
    ] as const) {
      const again = await manager.api(method, `${KEYS}/${id}${path}`);
      expect([again.status, await json(again)]).toEqual([200, revoked]);
    }
    for (const [method, path, body] of [
      ["PATCH", "", { enabled: true }],
      ["POST", "/rotate", {}],
    ] as const) {
      expect(await codeOf(await manager.api(method, `${KEYS}/${id}${path}`, body))).toEqual([409, "conflict"]);
    }
    expect(await rowsOf(id)).toMatchObject({ enabled: false });
    expect((await trailOf(id)).map(({ event }) => event)).toEqual(["key.created", "key.revoked"]);
  });

  it("R11: leave in the audit log who changed what, with which credential and from where", async () => {
    const manager = await newManager();
    const { id } = await postKey(manager);
    const [entry] = await trailOf(id);
    expect(entry).toMatchObject({
      event: "key.created",
      outcome: "ok",
      tenant_id: manager.tenantId,
      user_id: manager.userId,
      credential_kind: "api_key",
      credential_id: manager.id,
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ip: expect.stringMatching(/^10\./),
      detail: { owner: "user", scopes: "mcp:tools mcp-registry:read" },
    });
  });
});
