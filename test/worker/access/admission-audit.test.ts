import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { uuidv7 } from "../../../src/platform/crypto.ts";
import { createWorker } from "../../../src/worker.ts";
import {
  auditRows,
  auditedOf,
  changePolicy,
  keyWith,
  leave,
  publish,
  settled,
  waitingOf,
} from "../../support/admission.ts";
import { callTool, db, eventually, newKey, request, withFault } from "../../support/gateway.ts";
import { later } from "../../support/oauth.ts";
import { background } from "../../support/worker.ts";

/** What the Cron Trigger does each minute. */
const cron = () => createWorker(() => undefined, background).scheduled(createScheduledController(), env);

const echo = (key: string) => callTool("echo", { text: "x" }, { key });

/** A key and the tenant that its events belong to. */
async function newSubject() {
  const made = await newKey();
  return { ...made, tenantId: `personal-${made.userId}` };
}
type Subject = Awaited<ReturnType<typeof newSubject>>;

/** An event as an isolate would have left it. */
const eventOf = ({ id, userId, tenantId }: Subject, at: number, outcome = "unknown") => ({
  id: uuidv7(at),
  at: new Date(at).toISOString(),
  event: "mcp.tools/call",
  outcome,
  code: null,
  tenant_id: tenantId,
  user_id: userId,
  credential_kind: "api_key",
  credential_id: id,
  client_id: null,
  target: "echo",
  request_id: uuidv7(at),
  ip: null,
  user_agent: null,
  duration_ms: null,
  detail: {},
});

const MINUTE = 60_000;
const outcomesOf = async ({ id }: Subject) => (await auditRows(id)).map(({ outcome }) => outcome);

/** When everything is settled for good: nothing waits, and another run of the drain changes nothing. */
async function expectSettled(subject: Subject, outcomes: string[]): Promise<void> {
  const rows = await auditRows(subject.id);
  expect(rows.map(({ outcome }) => outcome)).toEqual(outcomes);
  expect(await waitingOf(subject.tenantId, subject.id)).toEqual([]);
  await cron();
  await cron();
  expect(await auditRows(subject.id)).toEqual(rows);
  expect(
    (await db.execute(sql`select 1 from audit_intent where entry ->> 'credential_id' = ${subject.id}`)).rows,
  ).toEqual([]);
}

describe("an admitted call", () => {
  it("R11: has exactly one row with its outcome, and leaves nothing in the stream", async () => {
    const subject = await newSubject();
    const { key } = subject;
    await echo(key);
    await callTool("echo", {}, { key });
    await callTool("no_such_tool", {}, { key });
    await callTool("whoami", {}, { key });
    await auditedOf(subject.id, 4);
    await settled();
    await expectSettled(subject, ["ok", "error", "error", "ok"]);
  });

  it("R11: of two hundred at once each has one row, with an id and a request id of its own", async () => {
    const subject = await newSubject();
    const answers = await Promise.all(Array.from({ length: 200 }, () => echo(subject.key)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await auditedOf(subject.id, 200);
    await settled();
    const rows = await auditRows(subject.id);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(200);
    const asked = new Set(answers.map(({ response }) => response.headers.get("x-request-id")));
    expect(asked.size).toBe(200);
    expect(new Set(rows.map((row) => row["request_id"]))).toEqual(asked);
    for (const { id } of rows) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
    await expectSettled(
      subject,
      rows.map(() => "ok"),
    );
  });

  it("R11: has been noted before it is answered", async () => {
    const subject = await newSubject();
    await echo(subject.key);
    await withFault({ neon: { mode: "down" } }, async () => {
      await echo(subject.key);
      const waiting = await waitingOf(subject.tenantId, subject.id);
      expect(waiting.at(-1)).toMatchObject({
        kind: "i",
        row: { event: "mcp.tools/call", outcome: "unknown", target: "echo" },
      });
    });
    await eventually(async () => {
      await cron();
      return (await auditRows(subject.id)).length === 2 ? true : undefined;
    });
    await settled();
    await expectSettled(subject, ["ok", "ok"]);
  });

  it("R11: whose answer Redis lost has one row", async () => {
    const subject = await newSubject();
    await echo(subject.key);
    await withFault({ upstash: { mode: "reset-after-commit", nth: 1 } }, async () => {
      expect((await echo(subject.key)).status).toBe(200);
    });
    await auditedOf(subject.id, 2);
    await settled();
    await expectSettled(subject, ["ok", "ok"]);
  });

  it("R11: keeps its outcome when Postgres is down after the answer", async () => {
    const subject = await newSubject();
    await echo(subject.key);
    await auditedOf(subject.id, 1);
    await withFault({ neon: { mode: "down" } }, async () => {
      expect((await echo(subject.key)).status).toBe(200);
      expect((await callTool("echo", {}, { key: subject.key })).result?.isError).toBe(true);
      await eventually(async () => {
        const outcomes = (await waitingOf(subject.tenantId, subject.id)).filter(({ kind }) => kind === "o");
        return outcomes.length === 2 ? true : undefined;
      });
      await expect(cron()).rejects.toThrow("scheduled tasks failed");
    });
    expect(await outcomesOf(subject)).toEqual(["ok"]);
    await cron();
    await expectSettled(subject, ["ok", "ok", "error"]);
  });

  it("R11: while Redis is down is noted in Postgres, and has one row", async () => {
    const subject = await newSubject();
    await withFault({ upstash: { mode: "down" } }, async () => {
      expect((await echo(subject.key)).status).toBe(200);
      await auditedOf(subject.id, 1);
    });
    await settled();
    await expectSettled(subject, ["ok"]);
  });
});

describe("a refused call", () => {
  const codesOf = async ({ id }: Subject) =>
    (await auditRows(id)).map(({ event, outcome, code }) => [event, outcome, code]);

  it.each([
    ["by a list of addresses", { addresses: ["192.0.2.1"] }, "address_not_allowed"],
    ["by a list of tools", { tools: ["whoami"] }, "not_on_list"],
  ])("R11: %s has one row each time", async (_what, fields, code) => {
    const subject = await keyWith(fields);
    for (const _ of [1, 2, 3]) await echo(subject.key);
    await auditedOf(subject.id, 3);
    await settled();
    const refused = ["mcp.refused", "refused", code];
    expect(await codesOf(subject)).toEqual([refused, refused, refused]);
  });

  it("J07: R11: with a key that is disabled has one, too: its owner sees that somebody tries", async () => {
    const made = await newKey({ enabled: false });
    const subject = { ...made, tenantId: `personal-${made.userId}` };
    expect((await echo(subject.key)).status).toBe(401);
    await auditedOf(subject.id, 1);
    expect(await codesOf(subject)).toEqual([["mcp.refused", "refused", "invalid_credential"]]);
  });

  it.each([
    ["a limit", { perMinute: 1, burst: 1 }, "rate_limited"],
    ["a quota", { quotaMax: 1, quotaPeriod: "total" }, "quota_exceeded"],
  ])(
    "R11: over %s has one row at first and one for the rest of the minute, however many there are",
    async (_what, fields, code) => {
      const subject = await keyWith(fields);
      expect((await echo(subject.key)).status).toBe(200);
      for (let n = 0; n < 10; n++) expect((await echo(subject.key)).status).toBe(429);
      await settled();
      expect((await codesOf(subject)).map(([, , what]) => what)).toEqual([null, code]);
      await later(61, async () => expect((await echo(subject.key)).status).toBe(429));
      await auditedOf(subject.id, 4);
      await settled();
      const rows = (await auditRows(subject.id)).map((row) => [row.code, row.detail["count"]]);
      expect(rows).toEqual([
        [null, undefined],
        [code, undefined],
        [code, 9],
        [code, undefined],
      ]);
    },
  );

  it("R11: to the management API has one each time, and over a limit as many as to /mcp", async () => {
    const subject = await keyWith({ perMinute: 1, burst: 1 });
    const ask = async (path: string) => (await request(path, { headers: { "x-api-key": subject.key } })).status;
    for (const _ of [1, 2]) expect(await ask("/api/v1/clients")).toBe(403);
    expect(await ask("/api/v1/audit")).toBe(200);
    for (const _ of [1, 2, 3]) expect(await ask("/api/v1/audit")).toBe(429);
    const rows = await auditedOf(subject.id, 3);
    await settled();
    expect(rows.map(({ event, code, target }) => [event, code, target])).toEqual([
      ["api.refused", "insufficient_scope", "GET /api/v1/clients"],
      ["api.refused", "insufficient_scope", "GET /api/v1/clients"],
      ["api.refused", "rate_limited", "GET /api/v1/audit"],
    ]);
  });

  it("R11: of nobody has none: strangers do not fill the log", async () => {
    const count = async () =>
      (await db.execute<{ n: number }>(sql`select count(*)::int as n from audit_log`)).rows[0]?.n ?? 0;
    await settled();
    const before = await count();
    await Promise.all(
      Array.from({ length: 20 }, () => request("/mcp", { method: "POST", headers: { authorization: "Bearer abc" } })),
    );
    await settled();
    // One is the row of the call that waits for the others.
    expect(await count()).toBe(before + 1);
  });
});

describe("the drain", () => {
  it("R11: an intent whose isolate never came back becomes unknown; a young one waits", async () => {
    const subject = await newSubject();
    const [old, young] = [eventOf(subject, Date.now() - 6 * MINUTE), eventOf(subject, Date.now() - 4 * MINUTE)];
    await leave(subject.tenantId, "i", JSON.stringify(old));
    await leave(subject.tenantId, "i", JSON.stringify(young));
    await cron();
    expect(await auditRows(subject.id)).toMatchObject([{ id: old.id, outcome: "unknown", target: "echo" }]);
    expect(await waitingOf(subject.tenantId, subject.id)).toMatchObject([{ kind: "i", row: { id: young.id } }]);
    await cron();
    expect(await outcomesOf(subject)).toEqual(["unknown"]);
    await leave(subject.tenantId, "o", JSON.stringify({ ...young, outcome: "ok" }));
    await cron();
    await expectSettled(subject, ["unknown", "ok"]);
  });

  it("R11: the same in Postgres, where intents wait while Redis is down", async () => {
    const subject = await newSubject();
    const [old, young] = [eventOf(subject, Date.now() - 6 * MINUTE), eventOf(subject, Date.now())];
    for (const event of [old, young]) {
      await db.execute(sql`insert into audit_intent values (${event.id}, ${event.at}, ${JSON.stringify(event)})`);
    }
    await cron();
    expect(await auditRows(subject.id)).toMatchObject([{ id: old.id, outcome: "unknown" }]);
    await db.execute(sql`delete from audit_intent where id = ${young.id}`);
    await expectSettled(subject, ["unknown"]);
  });

  it("R11: an outcome wins over its intent, whichever comes first, however often both are there", async () => {
    const subject = await newSubject();
    const events = [1, 2, 3].map((n) => eventOf(subject, Date.now() - (10 - n) * MINUTE));
    for (const event of events) {
      const outcome = JSON.stringify({ ...event, outcome: "ok" });
      await leave(subject.tenantId, "o", outcome);
      await leave(subject.tenantId, "i", JSON.stringify(event));
      await leave(subject.tenantId, "o", outcome);
    }
    await cron();
    await expectSettled(subject, ["ok", "ok", "ok"]);
  });

  it("R11: several at the same time write each event once", async () => {
    const subject = await newSubject();
    for (let n = 0; n < 30; n++)
      await leave(subject.tenantId, "i", JSON.stringify(eventOf(subject, Date.now() - 6 * MINUTE)));
    await Promise.all([cron(), cron(), cron(), cron()]);
    await expectSettled(
      subject,
      Array.from({ length: 30 }, () => "unknown"),
    );
  });

  it("R11: loses nothing when the answer of Postgres, or of Redis, is lost on the way", async () => {
    const subject = await newSubject();
    const leaveOne = () => leave(subject.tenantId, "i", JSON.stringify(eventOf(subject, Date.now() - 6 * MINUTE)));
    await leaveOne();
    await withFault({ neon: { mode: "reset-after-commit" } }, async () => {
      await expect(cron()).rejects.toThrow("scheduled tasks failed");
    });
    await leaveOne();
    await withFault({ upstash: { mode: "down" } }, async () => {
      await expect(cron()).rejects.toThrow("scheduled tasks failed");
    });
    await cron();
    await expectSettled(subject, ["unknown", "unknown"]);
  });

  it("R11: what it cannot read keeps nothing else from being written", async () => {
    const subject = await newSubject();
    for (const text of ["no JSON", "{}", "null", '{"id":"no id"}', "[1]", `{"id":"${uuidv7()}","at":"no time"}`]) {
      await leave(subject.tenantId, "i", text);
      await leave(subject.tenantId, "o", text);
    }
    await leave(subject.tenantId, "i", JSON.stringify(eventOf(subject, Date.now() - 6 * MINUTE)));
    await cron();
    expect(await outcomesOf(subject)).toEqual(["unknown"]);
  });

  it("R10: writes down a quota's use and when a key was last used", async () => {
    const subject = await newSubject();
    await changePolicy(subject.id, { quotaMax: 9, quotaPeriod: "total" });
    await publish();
    await echo(subject.key);
    await echo(subject.key);
    await auditedOf(subject.id, 2);
    await settled();
    const { rows } = await db.execute(sql`select q.used, k.last_request is not null as "isUsed"
      from apikey k join quota_use q on q.chain_id = k.id where k.id = ${subject.id}`);
    expect(rows).toEqual([{ used: "2", isUsed: true }]);
  });
});
