import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { reportLeak } from "../../../src/keys/revocation.ts";
import { generateApiKey } from "../../../src/keys/token.ts";
import { db, eventually, mailsTo, newUser, request, resetStats, stats } from "../../support/gateway.ts";
import { KEYS, postKey, newManager, rowsOf, organizationOf, trailOf } from "../../support/keys.ts";
import { json } from "../../support/oauth.ts";

const report = (key: unknown) =>
  request(`${KEYS}/report-leak`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key }),
  });

const emailOf = async (userId: string) =>
  String((await db.execute(sql`select email from "user" where id = ${userId}`)).rows[0]?.["email"]);

const firstMail = (address: string) => eventually(async () => (await mailsTo(address))[0]);

describe("a leaked key", () => {
  it("J10: is revoked for good by whoever holds it, and its owner is told", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager, { name: "<img src=x onerror=alert(1)>" });
    const answer = await report(key);
    expect([answer.status, await json(answer)]).toEqual([200, { revoked: true }]);
    expect(await json(await manager.api("GET", `${KEYS}/${id}`))).toMatchObject({
      status: "revoked",
      revokedReason: "leaked",
    });
    expect((await manager.api("PATCH", `${KEYS}/${id}`, { enabled: true })).status).toBe(409);
    const mail = JSON.stringify(await firstMail(await emailOf(manager.userId)));
    expect(mail).toContain(key.slice(0, 13));
    expect(mail).not.toContain(key.slice(0, 14));
    expect(mail).not.toContain("<img");
    expect((await trailOf(id)).at(-1)).toMatchObject({
      event: "key.leaked",
      tenant_id: manager.tenantId,
      user_id: null,
      credential_id: null,
      ip: expect.any(String),
    });
  });

  it("answers the same however often it is reported, also when it had been revoked before, and mails once", async () => {
    const manager = await newManager();
    const [leaked, revoked] = [await postKey(manager), await postKey(manager)];
    await manager.api("DELETE", `${KEYS}/${revoked.id}`);
    const answers = await Promise.all([leaked.key, leaked.key, leaked.key, revoked.key].map(report));
    for (const answer of answers) expect([answer.status, await json(answer)]).toEqual([200, { revoked: true }]);
    const address = await emailOf(manager.userId);
    await firstMail(address);
    expect(await mailsTo(address)).toHaveLength(1);
    expect(await rowsOf(revoked.id)).toMatchObject({ policy: { revoked_reason: "revoked" } });
    expect((await trailOf(leaked.id)).map(({ event }) => event)).toEqual(["key.created", "key.leaked"]);
  });

  it("of an organization is told to the organization's owners", async () => {
    const organization = await organizationOf("owner", "member");
    const owner = await newManager({ userId: organization.owner, tenantId: organization.id });
    const { key } = await postKey(owner, { owner: "organization" });
    expect((await report(key)).status).toBe(200);
    await firstMail(await emailOf(organization.owner));
    expect(await mailsTo(await emailOf(organization.member))).toEqual([]);
  });

  it("J15: leaves the key that has taken its place alone", async () => {
    const manager = await newManager();
    const { key, id } = await postKey(manager);
    const next = await json(await manager.api("POST", `${KEYS}/${id}/rotate`, {}));
    expect((await report(key)).status).toBe(200);
    expect(await json(await manager.api("GET", `${KEYS}/${String(next["id"])}`))).toMatchObject({ status: "active" });
  });

  it("is none that we never made", async () => {
    const answer = await report(generateApiKey("live"));
    expect([answer.status, (await json(answer))["code"]]).toEqual([404, "not_found"]);
  });

  it("J05: is none with a wrong checksum: that is refused by looking at it", async () => {
    const { id } = await newUser();
    const key = generateApiKey("live");
    const odd = [`${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`, key.slice(0, 20), `${key}x`, "mrg_live_", id];
    const noIo = () => Promise.reject(new Error("no I/O was to be done"));
    const never = { execute: noIo, batch: noIo } as never;
    const deps = { db: never, flushOutbox: noIo, sendMail: noIo, background: () => undefined, origin: "" };
    for (const text of odd) {
      expect(await reportLeak(deps, text, {} as never, Date.now())).toEqual({ state: "malformed" });
      await resetStats();
      expect((await report(text)).status).toBe(400);
      expect((await stats()).sqlRequests).toBe(0);
    }
    for (const text of [null, 7, [key], "x".repeat(201)]) expect((await report(text)).status).toBe(400);
  });
});
