import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/platform/crypto.ts";
import { redisKeys } from "../../../src/platform/redis/redis.ts";
import { revokeKey, reportLeak } from "../../../src/keys/revocation.ts";
import { updateKey } from "../../../src/keys/changes.ts";
import { createServices } from "../../../src/services.ts";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, config, db, newUser, origin, withFault } from "../../support/gateway.ts";
import { KEYS, postKey, newManager, NOBODY, rowsOf, organizationOf } from "../../support/keys.ts";
import { managing } from "../../support/managed-clients.ts";
import { AUTH, json, newPerson, PASSWORD } from "../../support/oauth.ts";
import { background } from "../../support/worker.ts";

const services = createServices(config, background);

/** What Better Auth itself says of a key. */
async function verify(key: string, more: { configId?: string; permissions?: Record<string, string[]> } = {}) {
  const { api } = await services.auth();
  return api.verifyApiKey({ body: { key, ...more } });
}

/** Somebody who is signed in to Better Auth's own endpoints. */
async function newSession(person: { id: string; email: string }) {
  const browser = formBrowser();
  const post = (path: string, body: Record<string, unknown>) =>
    browser.send(`${AUTH}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify(body),
    });
  expect((await post("/sign-in/email", { email: person.email, password: PASSWORD })).status).toBe(200);
  return { post, get: (path: string) => browser.send(`${AUTH}${path}`) };
}

describe("Better Auth", () => {
  it("R7: accepts keys that we made, with their permissions, and again after a rotation", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager, { scopes: ["mcp:tools"] });
    expect(await verify(key, { configId: "default", permissions: { mcp: ["tools"] } })).toMatchObject({
      valid: true,
      key: { id, referenceId: manager.userId, permissions: { mcp: ["tools"] } },
    });
    expect(await verify(key, { permissions: { keys: ["write"] } })).toMatchObject({ valid: false });
    const next = await json(await manager.api("POST", `${KEYS}/${id}/rotate`, {}));
    for (const one of [key, String(next["key"])]) expect(await verify(one)).toMatchObject({ valid: true });
  });

  it("R7: accepts keys that belong to an organization", async () => {
    const organization = await organizationOf("owner");
    const manager = await newManager({ userId: organization.owner, tenantId: organization.id });
    const { key, id } = await postKey(manager, { owner: "organization" });
    for (const more of [{}, { configId: "organization" }]) {
      expect(await verify(key, more)).toMatchObject({ valid: true, key: { id, referenceId: organization.id } });
    }
    expect(await verify(key, { configId: "default" })).toMatchObject({ valid: false });
  });

  it("J07: refuses keys that we disabled, revoked or let expire", async () => {
    const manager = await newManager();
    const [disabled, revoked, expired] = [await postKey(manager), await postKey(manager), await postKey(manager)];
    await manager.api("PATCH", `${KEYS}/${disabled.id}`, { enabled: false });
    await manager.api("DELETE", `${KEYS}/${revoked.id}`);
    await manager.api("POST", `${KEYS}/${expired.id}/rotate`, { overlapSeconds: 0 });
    for (const { key } of [disabled, revoked, expired]) expect(await verify(key)).toMatchObject({ valid: false });
  });

  it("R7: makes keys that we accept and manage, in the personal organization of whoever makes them", async () => {
    const person = await newPerson();
    const { post } = await newSession(person);
    const made = await json(await post("/api-key/create", { name: "Laptop", expiresIn: 86_400 * 30 }));
    const manager = await newManager({ userId: person.id });
    const shown = await json(await manager.api("GET", `${KEYS}/${String(made["id"])}`));
    expect(shown).toMatchObject({
      name: "Laptop",
      tenantId: person.tenantId,
      owner: "user",
      scopes: ["mcp:tools", "mcp-registry:read"],
      expiresAt: made["expiresAt"],
      status: "active",
    });
    expect((await managing(String(made["key"]))("GET", "/api/v1/servers")).status).toBe(200);
    expect((await manager.api("POST", `${KEYS}/${String(made["id"])}/rotate`, {})).status).toBe(201);
  });

  it("J07: cannot enable a key again that was revoked or reported, whatever its owner asks", async () => {
    const person = await newPerson();
    const [manager, session] = [await newManager({ userId: person.id }), await newSession(person)];
    const { key, id } = await postKey(manager);
    await manager.api("DELETE", `${KEYS}/${id}`);
    await session.post("/api-key/update", { keyId: id, enabled: true });
    await session.post("/api-key/update", { keyId: id, enabled: true, expiresIn: 86_400 * 300 });
    expect(await rowsOf(id)).toMatchObject({ enabled: false, policy: { revoked_reason: "revoked" } });
    expect(await verify(key)).toMatchObject({ valid: false });
    expect(await json(await manager.api("GET", `${KEYS}/${id}`))).toMatchObject({ status: "revoked" });
  });

  it("R9: deletes a key, and its policy with it, and Redis hears of it for good", async () => {
    const person = await newPerson();
    const [manager, session] = [await newManager({ userId: person.id }), await newSession(person)];
    const { key, id } = await postKey(manager);
    expect((await session.post("/api-key/delete", { keyId: id })).status).toBe(200);
    expect((await manager.api("GET", `${KEYS}/${id}`)).status).toBe(404);
    await services.flushOutbox();
    expect(await services.redis.get(redisKeys.keyRecord(await sha256(key)))).toMatch(/^\d+\|dead$/);
  });

  it("O02: has no endpoint by which a member, an owner or a stranger reaches keys of an organization", async () => {
    const [owner, member, stranger] = [await newPerson(), await newPerson(), await newPerson()];
    const organization = await organizationOf();
    for (const [person, role] of [
      [owner, "owner"],
      [member, "member"],
    ] as const) {
      await db.execute(sql`insert into member (id, organization_id, user_id, role, created_at)
        values (${crypto.randomUUID()}, ${organization.id}, ${person.id}, ${role}, now())`);
    }
    const manager = await newManager({ userId: owner.id, tenantId: organization.id });
    const { id } = await postKey(manager, { owner: "organization" });
    const before = await rowsOf(id);
    for (const person of [owner, member, stranger]) {
      const { post, get } = await newSession(person);
      const named = { configId: "organization", organizationId: organization.id };
      await post("/api-key/create", { name: "x", ...named });
      for (const more of [{}, { configId: "organization" }]) {
        expect((await post("/api-key/update", { keyId: id, enabled: false, ...more })).status).toBe(404);
        expect((await post("/api-key/delete", { keyId: id, ...more })).status).toBe(404);
        expect((await get(`/api-key/get?id=${id}&${new URLSearchParams(more).toString()}`)).status).toBe(404);
        const list = await get(
          `/api-key/list?${new URLSearchParams({ ...more, organizationId: organization.id }).toString()}`,
        );
        expect(await list.text()).not.toContain(id);
      }
    }
    expect(await rowsOf(id)).toEqual(before);
    const { rows } = await db.execute(
      sql`select 1 from apikey where config_id <> 'default' and reference_id in (${organization.id}, ${owner.id}, ${member.id}, ${stranger.id})`,
    );
    expect(rows).toHaveLength(1);
  });
});

describe("a change of a key", () => {
  const actor = (userId: string) => ({
    ...NOBODY,
    userId,
    scopes: new Set<never>(),
  });

  it("R9: marks the key in Redis before it is confirmed, with the version that Postgres keeps", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager);
    const mark = async () => services.redis.get<string>(redisKeys.keyRecord(await sha256(key)));
    for (const [method, path, body] of [
      ["PATCH", "", { servers: ["notes"] }],
      ["PATCH", "", { enabled: false }],
      ["POST", "/rotate", {}],
      ["DELETE", "", undefined],
    ] as const) {
      expect((await manager.api(method, `${KEYS}/${id}${path}`, body)).status).toBeLessThan(300);
      const { policy } = (await rowsOf(id)) as { policy: { version: number } };
      expect(await mark()).toBe(`${policy.version}|`);
    }
  });

  it("R9: stands when Redis does not hear of it, says so, and reaches Redis with the next one", async () => {
    const { id: userId } = await newUser();
    const manager = await newManager({ userId });
    const made = [await postKey(manager), await postKey(manager), await postKey(manager)];
    const [changed, revoked, leaked] = made;
    if (!changed || !revoked || !leaked) throw new Error("three keys were made");
    const mails: string[] = [];
    const deps = { db, flushOutbox: services.flushOutbox };
    const leakDeps = {
      ...deps,
      sendMail: (mail: { to: string }) => Promise.resolve(void mails.push(mail.to)),
      background: (work: Promise<unknown>) => void work,
      origin,
    };
    await withFault({ upstash: { mode: "down" } }, async () => {
      const now = Date.now();
      const pending = { code: "revocation_pending" };
      await expect(updateKey(deps, actor(userId), changed.id, { enabled: false }, now)).rejects.toMatchObject(pending);
      await expect(revokeKey(deps, actor(userId), revoked.id, now)).rejects.toMatchObject(pending);
      await expect(reportLeak(leakDeps, leaked.key, NOBODY, now)).rejects.toMatchObject(pending);
    });
    expect(mails).toHaveLength(1);
    for (const { id } of made) expect(await rowsOf(id)).toMatchObject({ enabled: false });
    expect(await revokeKey(deps, actor(userId), revoked.id, Date.now())).toMatchObject({ state: "done" });
    for (const { key, id } of made) {
      const { policy } = (await rowsOf(id)) as { policy: { version: number } };
      expect(await services.redis.get(redisKeys.keyRecord(await sha256(key)))).toBe(`${policy.version}|`);
    }
  });

  it("R9: is in force at the next call at /mcp", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager);
    const statusOf = async () => (await callTool("echo", { text: "x" }, { key })).status;
    expect(await statusOf()).toBe(200);
    for (const [method, path, body, status] of [
      ["PATCH", "", { enabled: false }, 401],
      ["PATCH", "", { enabled: true }, 200],
      ["PATCH", "", { scopes: ["mcp-registry:read"] }, 403],
      ["PATCH", "", { scopes: ["mcp:tools"] }, 200],
      ["POST", "/rotate", { overlapSeconds: 60 }, 200],
      ["DELETE", "", undefined, 401],
    ] as const) {
      expect((await manager.api(method, `${KEYS}/${id}${path}`, body)).status).toBeLessThan(300);
      expect(await statusOf()).toBe(status);
    }
  });
});
