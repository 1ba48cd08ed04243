import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, withFault } from "../../support/gateway.ts";
import {
  definition,
  newDomain,
  newPublisher,
  ownNamespace,
  problemOf,
  publishTo,
  versionsIn,
} from "../../support/publishing.ts";

describe("a request with an Idempotency-Key", () => {
  const keyed = (key: string, id: string) => ({ key, headers: { "idempotency-key": id } });

  it("is answered once more with the same, and publishes once", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    const id = crypto.randomUUID();
    const body = definition(`${namespace}/weather`);
    const first = await (await publishTo(body, keyed(key, id))).text();
    await publishTo(definition(`${namespace}/weather`, { version: "2.0.0" }), { key });
    const second = await publishTo(body, keyed(key, id));
    expect([second.status, await second.text()]).toEqual([200, first]);
    expect(await versionsIn(tenantId, `${namespace}/weather`)).toHaveLength(2);
  });

  it("is refused for another body, and means nothing in another's hands", async () => {
    const [mine, other] = [await newPublisher(), await newPublisher()];
    const id = crypto.randomUUID();
    await publishTo(definition(`${mine.namespace}/w`), keyed(mine.key, id));
    const changed = await publishTo(definition(`${mine.namespace}/w`, { version: "2.0.0" }), keyed(mine.key, id));
    expect(await problemOf(changed)).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    expect((await publishTo(definition(`${other.namespace}/w`), keyed(other.key, id))).status).toBe(200);
  });

  it("waits its turn while the first is under way, and starts anew when that was cut off", async () => {
    const { key, userId, tenantId, namespace } = await newPublisher();
    const id = crypto.randomUUID();
    const body = JSON.stringify(definition(`${namespace}/w`));
    const hash = createHash("sha256").update(`publish\n${body}`).digest("base64url");
    await db.execute(
      sql`insert into idempotent_answer (owner, key, request_hash) values (${`${tenantId} ${userId}`}, ${id}, ${hash})`,
    );
    const waiting = await publishTo(body, keyed(key, id));
    expect([waiting.status, waiting.headers.get("retry-after")]).toEqual([409, "1"]);
    await db.execute(sql`update idempotent_answer set at = now() - interval '2 minutes' where key = ${id}`);
    expect((await publishTo(body, keyed(key, id))).status).toBe(200);
  });

  it("may be tried again after a refusal, and is forgotten after a day", async () => {
    const { key, tenantId } = await newPublisher();
    const id = crypto.randomUUID();
    const { namespace } = newDomain();
    const body = definition(`${namespace}/w`);
    expect((await publishTo(body, keyed(key, id))).status).toBe(403);
    await ownNamespace(tenantId, namespace);
    expect((await publishTo(body, keyed(key, id))).status).toBe(200);
    await db.execute(sql`update idempotent_answer set at = now() - interval '25 hours' where key = ${id}`);
    expect((await publishTo(body, keyed(key, id))).status).toBe(400);
  });

  it.each(["", " ", "é", "x".repeat(256)])("%# must be visible ASCII", async (id) => {
    const { key, namespace } = await newPublisher();
    const answer = await publishTo(
      definition(`${namespace}/w`),
      keyed(key, encodeURIComponent(id) === id && id !== "" ? id : "a b"),
    );
    expect(answer.status).toBe(400);
  });
});

describe("publishing at the same time", () => {
  it("16 versions of one server: each once, exactly one latest, and the right one", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    const versions = Array.from({ length: 16 }, (_, i) => `1.${(i * 7) % 16}.0`);
    const answers = await Promise.all(
      versions.map((version) => publishTo(definition(`${namespace}/w`, { version }), { key })),
    );
    expect(answers.map(({ status }) => status)).toEqual(versions.map(() => 200));
    const rows = await versionsIn(tenantId, `${namespace}/w`);
    expect(new Set(rows.map(({ version }) => version))).toEqual(new Set(versions));
    expect(rows).toHaveLength(16);
    expect(rows.filter((row) => row.is_latest).map(({ version }) => version)).toEqual(["1.15.0"]);
  });

  it("one version 16 times: one is published", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => publishTo(definition(`${namespace}/w`), { key })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: 15 }, () => 400),
    ]);
    expect(await versionsIn(tenantId, `${namespace}/w`)).toHaveLength(1);
  });

  it("one request with an Idempotency-Key 8 times: published once, and all others wait or get the same", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    const headers = { "idempotency-key": crypto.randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => publishTo(definition(`${namespace}/w`), { key, headers })),
    );
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(await versionsIn(tenantId, `${namespace}/w`)).toHaveLength(1);
  });

  it("look-alikes of two tenants: one gets the name, each time", async () => {
    const people = [await newPublisher(), await newPublisher()];
    for (let round = 0; round < 10; round++) {
      const tail = crypto.randomUUID().slice(0, 8);
      const names = [`com.vvest-${tail}`, `com.west-${tail}`];
      for (const [i, name] of names.entries()) await ownNamespace(people[i]?.tenantId ?? "", name);
      const answers = await Promise.all(
        names.map((name, i) => publishTo(definition(`${name}/w`), { key: people[i]?.key ?? "" })),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
    }
  });
});

describe("while Postgres does not answer as it should", () => {
  const published = async (tenantId: string, name: string) => (await versionsIn(tenantId, name)).length;

  it("publishing is 503, and nothing is left behind", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    await publishTo(definition(`${namespace}/first`), { key });
    await withFault({ neon: { mode: "down" } }, async () => {
      const problem = await problemOf(await publishTo(definition(`${namespace}/w`), { key }));
      expect(problem).toMatchObject({ status: 503, code: "unavailable", error: problem.detail });
    });
    expect(await published(tenantId, `${namespace}/w`)).toBe(0);
    expect((await publishTo(definition(`${namespace}/w`), { key })).status).toBe(200);
  });

  it("a lost answer is given again to a request with an Idempotency-Key", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    await publishTo(definition(`${namespace}/first`), { key });
    const asking = { key, headers: { "idempotency-key": crypto.randomUUID() } };
    const body = definition(`${namespace}/w`);
    // The second request to Postgres is the publish: it commits, and nobody hears of it.
    await withFault({ neon: { mode: "reset-after-commit", nth: 2 } }, async () => {
      expect((await publishTo(body, asking)).status).toBe(503);
    });
    expect(await published(tenantId, `${namespace}/w`)).toBe(1);
    const again = await publishTo(body, asking);
    expect([again.status, await again.json()]).toMatchObject([200, { server: { version: "1.0.0" } }]);
    expect(await published(tenantId, `${namespace}/w`)).toBe(1);
  });
});
