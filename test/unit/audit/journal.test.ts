import { sql } from "drizzle-orm";
import { afterAll, describe, expect, it } from "vitest";
import { drain } from "../../../src/audit/drain.ts";
import { createJournal, type JournalDeps } from "../../../src/audit/journal.ts";
import { rowOf, type AuditRow } from "../../../src/audit/entry.ts";
import { unauthenticated } from "../../../src/audit/event.ts";
import type { RedisScript } from "../../../src/platform/redis/script.ts";
import { startScriptRedis } from "../platform/redis/script-redis.ts";
import { event, idOf, NOW, postgres, rowsOf } from "./trail.ts";

const AWAY = new Error("away");

/** A journal with its stores, its clock, and what it does after answers. */
function fake(
  answers: {
    postgres?: (statement: number) => unknown[] | Error;
    redis?: () => unknown;
    companions?: JournalDeps["companions"];
  } = {},
) {
  const state = {
    now: NOW,
    order: [] as string[],
    scripts: [] as { command: string; keys: readonly string[]; args: readonly string[] }[],
    background: [] as Promise<unknown>[],
    waits: [] as { ms: number; over: () => void }[],
    logged: [] as { event: string; fields: object | undefined }[],
  };
  const { db, statements } = postgres((statement) => {
    state.order.push("sql");
    return answers.postgres?.(statement) ?? [];
  });
  const commandOf = ({ source }: RedisScript) => /redis\.call\('(XDEL|XADD)'/.exec(source)?.[1] ?? "";
  const journal = createJournal({
    db,
    runScript: async (script, keys, args) => {
      state.order.push(commandOf(script));
      state.scripts.push({ command: commandOf(script), keys, args });
      const answer = answers.redis?.();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    background: (work) => void state.background.push(work),
    wait: async (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      state.waits.push({ ms, over: resolve });
      return promise;
    },
    now: () => state.now,
    log: (_level, name, fields) => void state.logged.push({ event: name, fields }),
    companions: answers.companions ?? [],
  });
  return { journal, state, statements };
}

const numbered = (count: number) => Array.from({ length: count }, (_, n) => event({ id: `event-${n}` }));
const appended = ({ args }: { args: readonly string[] }) =>
  args.filter((_, index) => index % 2 === 1).map((text) => JSON.parse(text) as AuditRow);
const ids = (rows: readonly AuditRow[]) => rows.map(({ id }) => id);

describe("R11: the journal", () => {
  it("R11: writes many events by one statement, half a second later", async () => {
    const { journal, state, statements } = fake();
    for (const each of numbered(50)) journal.record(each);
    expect(state.waits.map(({ ms }) => ms)).toEqual([500]);
    expect(statements).toEqual([]);
    state.waits[0]?.over();
    await Promise.all(state.background);
    expect(statements.map((statement) => rowsOf(statement).length)).toEqual([50]);
    expect(statements[0]?.sql).toMatch(/insert into "audit_log" .*delete from "audit_intent" /s);
    expect(statements[0]?.params[1]).toEqual(ids(rowsOf(statements[0] ?? { params: [] })));
    expect(state.scripts).toEqual([]);
  });

  it("R11: records tries without end once in a while; those of nobody take no room from those of who is known", async () => {
    const { journal, state, statements } = fake();
    const nobody = (n: number) => unauthenticated({ requestId: "req-1", ip: `10.0.0.${n}`, userAgent: null });
    for (let n = 0; n < 100; n++) journal.tried(event({ id: `nobody-${n}`, actor: nobody(n) }));
    for (let n = 0; n < 100; n++) journal.tried(event({ id: `known-${n}` }));
    state.now = NOW + 60_000;
    await journal.flush();
    const rows = statements.flatMap(rowsOf);
    expect(rows.filter(({ id }) => id.startsWith("nobody")).length).toBeLessThanOrEqual(120);
    expect(rows.filter(({ id }) => id.startsWith("known")).map(({ id, detail }) => [id, detail["count"]])).toEqual([
      ["known-0", undefined],
      ["known-99", 99],
    ]);
  });

  it("R11: plans the next write when the first is due, not before", () => {
    const { journal, state } = fake();
    for (const at of [0, 1, 500, 501, 502]) {
      state.now = NOW + at;
      journal.record(event());
    }
    expect(state.waits).toHaveLength(2);
    expect(state.background).toHaveLength(2);
  });

  it("R11: writes two hundred at a time", async () => {
    const { journal, statements } = fake();
    for (const each of numbered(450)) journal.record(each);
    await journal.flush();
    expect(statements.map((statement) => rowsOf(statement).length)).toEqual([200, 200, 50]);
    expect(ids(statements.flatMap(rowsOf))).toEqual(ids(numbered(450) as unknown as AuditRow[]));
  });

  it("R11: writes nothing when nothing waits", async () => {
    const { journal, state, statements } = fake();
    await journal.flush();
    journal.record(event());
    await journal.flush();
    await journal.flush();
    expect(statements).toHaveLength(1);
    expect(state.scripts).toEqual([]);
  });

  it("R11: leaves what comes while it writes to the next write, which is planned", async () => {
    const { journal, statements, state } = fake({
      postgres: (statement) => {
        if (statement === 0) journal.record(event({ id: "late" }));
        return [];
      },
    });
    journal.record(event({ id: "first" }));
    const planned = state.waits.length;
    await journal.flush();
    expect(statements.map((statement) => ids(rowsOf(statement)))).toEqual([["first"]]);
    expect(state.waits).toHaveLength(planned + 1);
    await journal.flush();
    expect(statements.map((statement) => ids(rowsOf(statement)))).toEqual([["first"], ["late"]]);
  });

  it("R11: goes on when the streams cannot be trimmed: what Postgres has is found again by its id", async () => {
    const { journal, statements, state } = fake({ redis: () => AWAY });
    for (const [at, each] of numbered(250).entries()) journal.record(each, { shard: 1, id: `${at}-0` });
    await journal.flush();
    expect(statements.map((statement) => rowsOf(statement).length)).toEqual([200, 50]);
    expect(state.logged.map(({ event: name }) => name)).toContain("audit.untrimmed");
  });

  it("R11: takes entries out of their streams by one request, once Postgres has the events", async () => {
    const { journal, state } = fake();
    journal.record(event({ id: "a" }), { shard: 3, id: "1-0" });
    journal.record(event({ id: "b" }));
    journal.record(event({ id: "c" }), { shard: 1, id: "2-0" });
    journal.record(event({ id: "d" }), { shard: 3, id: "3-0" });
    await journal.flush();
    expect(state.order).toEqual(["sql", "XDEL"]);
    expect(state.scripts).toEqual([
      { command: "XDEL", keys: ["mrg1:audit:3", "mrg1:audit:1"], args: ["1", "1-0", "2", "2-0", "1", "3-0"] },
    ]);
  });
});

describe("R11: when Postgres does not answer", () => {
  it("R11: the streams keep the outcomes, and no entry goes", async () => {
    const { journal, state } = fake({ postgres: () => AWAY });
    journal.record(event({ id: "a" }), { shard: 3, id: "1-0" });
    journal.record(event({ id: "b" }));
    await journal.flush();
    expect(state.scripts).toMatchObject([{ command: "XADD", keys: ["mrg1:audit:3", "mrg1:audit:0"] }]);
    expect(state.scripts.map(appended).map(ids)).toEqual([["a", "b"]]);
    expect(state.scripts[0]?.args.filter((_, index) => index % 2 === 0)).toEqual(["1", "2"]);
    expect(state.logged).toMatchObject([{ event: "audit.delayed", fields: { events: 2 } }]);
    await journal.flush();
    expect(state.scripts).toHaveLength(1);
  });

  it("R11: what the streams did not get is written when Postgres is there again, in order", async () => {
    const failures = [AWAY, AWAY];
    const { journal, statements } = fake({ postgres: () => failures.shift() ?? [], redis: () => AWAY });
    journal.record(event({ id: "a" }));
    await journal.flush();
    journal.record(event({ id: "b" }));
    await journal.flush();
    journal.record(event({ id: "c" }));
    await journal.flush();
    expect(statements.map((statement) => ids(rowsOf(statement)))).toEqual([["a"], ["a", "b"], ["a", "b", "c"]]);
  });

  it("R11: what only this isolate keeps still has its entry in the stream, which then goes", async () => {
    const failures = [AWAY];
    const redis = [AWAY];
    const { journal, state } = fake({ postgres: () => failures.shift() ?? [], redis: () => redis.shift() });
    journal.record(event({ id: "a" }), { shard: 3, id: "1-0" });
    await journal.flush();
    await journal.flush();
    expect(state.scripts.map(({ command }) => command)).toEqual(["XADD", "XDEL"]);
    expect(state.scripts[1]?.args).toEqual(["1", "1-0"]);
  });

  it("R11: beyond ten thousand the oldest are given up, and the log says how many", async () => {
    let isDown = true;
    const { journal, state, statements } = fake({ postgres: () => (isDown ? AWAY : []), redis: () => AWAY });
    for (const each of numbered(10_003)) journal.record(each);
    await journal.flush();
    expect(state.logged).toMatchObject([
      { event: "audit.delayed" },
      { event: "audit.waiting" },
      { event: "audit.given_up", fields: { events: 3 } },
    ]);
    isDown = false;
    await journal.flush();
    const written = statements.slice(1).flatMap(rowsOf);
    expect([written.length, written[0]?.id, written.at(-1)?.id]).toEqual([10_000, "event-3", "event-10002"]);
  });
});

describe("what other rooms write along", () => {
  /** Collects texts, and writes them all at once. */
  function companion() {
    let held: string[] = [];
    const note = (text: string) => void held.push(text);
    const take = () => {
      if (held.length === 0) return undefined;
      const taken = held;
      held = [];
      return { write: sql`insert into elsewhere values (${taken.join()})`, giveBack: () => taken.forEach(note) };
    };
    return { note, take };
  }

  it("goes in the statement of the entries, each owner's by itself", async () => {
    const [one, two] = [companion(), companion()];
    const { journal, statements } = fake({ companions: [one, two] });
    journal.record(event());
    one.note("a");
    two.note("b");
    await journal.flush();
    expect(statements).toHaveLength(1);
    expect(statements[0]?.sql).toMatch(
      /insert into "audit_log" .*, companion_0 as \(insert into elsewhere .*, companion_1 as \(insert into elsewhere /s,
    );
    expect(statements[0]?.params.slice(2)).toEqual(["a", "b"]);
  });

  it("is written without entries too, and costs nothing when there is none", async () => {
    const [one, two] = [companion(), companion()];
    const { journal, state, statements } = fake({ companions: [one, two] });
    await journal.flush();
    expect(statements).toEqual([]);
    two.note("b");
    journal.plan();
    journal.plan();
    expect(state.waits.map(({ ms }) => ms)).toEqual([500]);
    state.waits[0]?.over();
    await Promise.all(state.background);
    expect(statements.map(({ params }) => params.slice(2))).toEqual([["b"]]);
    expect(statements.map(rowsOf)).toEqual([[]]);
  });

  it("goes with the first of many statements", async () => {
    const one = companion();
    const { journal, statements } = fake({ companions: [one] });
    for (const each of numbered(450)) journal.record(each);
    one.note("a");
    await journal.flush();
    expect(statements.map(({ params }) => params.slice(2))).toEqual([["a"], [], []]);
  });

  it("is given back to its owner when Postgres does not answer", async () => {
    const failures = [AWAY];
    const one = companion();
    const { journal, statements } = fake({ companions: [one], postgres: () => failures.pop() ?? [] });
    one.note("a");
    await journal.flush();
    one.note("b");
    await journal.flush();
    expect(statements.map(({ params }) => params.slice(2))).toEqual([["a"], ["a,b"]]);
  });
});

describe("R11: the journal's entries in Redis", async () => {
  const { redis, runScript, stop } = await startScriptRedis();
  afterAll(stop);
  const rest = { runScript, background: () => {}, wait: async () => {}, now: () => NOW, log: () => {}, companions: [] };

  it("R11: are appended where they were written ahead, and settled by the drain from there", async () => {
    const failing = postgres(() => AWAY);
    const journal = createJournal({
      db: failing.db,
      ...rest,
    });
    const id =
      (await redis.xadd(
        "mrg1:audit:3",
        "*",
        "i",
        JSON.stringify(rowOf(event({ id: idOf("a"), outcome: "unknown" }))),
      )) ?? "";
    journal.record(event({ id: idOf("a") }), { shard: 3, id });
    journal.record(event({ id: idOf("b") }), { shard: 1, id: "1-1" });
    await journal.flush();
    const entries = await redis.xrange("mrg1:audit:3", "-", "+");
    expect(entries.map(([, [kind, text = ""]]) => [kind, (JSON.parse(text) as AuditRow).id])).toEqual([
      ["i", idOf("a")],
      ["o", idOf("a")],
    ]);
    const { db, statements } = postgres();
    expect(await drain({ db, runScript }, [0, 1, 2, 3], NOW)).toBe(3);
    expect(statements.slice(0, 2).map((statement) => ids(rowsOf(statement)))).toEqual([[idOf("b")], [idOf("a")]]);
    expect([await redis.xlen("mrg1:audit:1"), await redis.xlen("mrg1:audit:3")]).toEqual([0, 0]);
  });

  it("R11: go once Postgres has the events, and no other goes", async () => {
    const add = async (shard: number) => ({
      shard,
      id: (await redis.xadd(`mrg1:audit:${shard}`, "*", "i", "{}")) ?? "",
    });
    const [first, second, other] = [await add(5), await add(6), await add(5)];
    const { db } = postgres();
    const journal = createJournal({
      db,
      ...rest,
    });
    journal.record(event({ id: "a" }), first);
    journal.record(event({ id: "b" }), second);
    await journal.flush();
    expect((await redis.xrange("mrg1:audit:5", "-", "+")).map(([id]) => id)).toEqual([other.id]);
    expect(await redis.xlen("mrg1:audit:6")).toBe(0);
  });

  it("R11: are found behind any number of entries that nobody can read", async () => {
    const pipeline = redis.pipeline();
    for (let n = 0; n < 501; n++) pipeline.xadd("mrg1:audit:2", "*", "x", "<html>");
    await pipeline.exec();
    await redis.xadd("mrg1:audit:2", "*", "o", JSON.stringify(rowOf(event({ id: idOf("c") }))));
    const { db, statements } = postgres();
    expect(await drain({ db, runScript }, [2], NOW)).toBe(1);
    expect(statements.slice(0, 1).map((statement) => ids(rowsOf(statement)))).toEqual([[idOf("c")]]);
    expect(await redis.xlen("mrg1:audit:2")).toBe(501);
  });
});
