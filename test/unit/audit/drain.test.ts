import { describe, expect, it } from "vitest";
import { drain } from "../../../src/audit/drain.ts";
import type { AuditEvent } from "../../../src/audit/event.ts";
import { rowOf } from "../../../src/audit/entry.ts";
import type { RunScript } from "../../../src/platform/redis/script.ts";
import { event, idOf, NOW, postgres, rowsOf } from "./trail.ts";

const LONG_AGO = NOW - 300_001;
const AWAY = new Error("away");

type Entry = readonly [kind: string, text: string];
const ahead = (change: Partial<AuditEvent>): Entry => [
  "i",
  JSON.stringify(rowOf(event({ outcome: "unknown", durationMs: null, ...change }))),
];
const outcome = (change: Partial<AuditEvent>): Entry => ["o", JSON.stringify(rowOf(event(change)))];

/** Streams that are read and cut as Redis does; `order` is what happened. */
function streams(
  entries: Readonly<Record<number, readonly Entry[]>>,
  { rows = [], down = false }: { rows?: unknown[]; down?: boolean } = {},
) {
  const order: string[] = [];
  const kept = new Map(
    Object.entries(entries).map(([shard, list]) => [
      `mrg1:audit:${shard}`,
      list.map((fields, index) => ({ id: `${index + 1}-0`, fields })),
    ]),
  );
  const runScript: RunScript = async ({ source }, [key = ""], args) => {
    const stream = kept.get(key) ?? [];
    if (source.includes("XDEL")) {
      order.push(`XDEL ${key} ${args.join()}`);
      kept.set(
        key,
        stream.filter(({ id }) => !args.includes(id)),
      );
      return args.length;
    }
    order.push("XRANGE");
    const [from = "", count] = args;
    const after = from === "-" ? 0 : Number.parseInt(from.slice(1), 10);
    return stream
      .filter(({ id }) => Number.parseInt(id, 10) > after)
      .slice(0, Number(count))
      .map(({ id, fields }) => [id, fields]);
  };
  const { db, statements } = postgres(() => {
    order.push("sql");
    return down ? AWAY : rows;
  });
  const left = () => [...kept.values()].flat().map(({ id }) => id);
  /** What was inserted, without the last statement of a run, which is that of the intents. */
  const inserted = () => statements.filter(({ params }) => String(params[0]).startsWith("[")).map(rowsOf);
  return { deps: { db, runScript }, order, left, statements, inserted };
}

describe("R11: what isolates have left in a stream", () => {
  it("R11: becomes unknown when nobody came back for five minutes, and not before", async () => {
    const { deps, left, inserted } = streams({
      0: [ahead({ id: idOf("old"), at: LONG_AGO }), ahead({ id: idOf("young"), at: NOW - 300_000 })],
    });
    expect(await drain(deps, [0], NOW)).toBe(1);
    expect(inserted()).toMatchObject([[{ id: idOf("old"), outcome: "unknown", duration_ms: null }]]);
    expect(left()).toEqual(["2-0"]);
  });

  it.each<[string, Entry[]]>([
    [
      "after",
      [ahead({ id: idOf("a") }), ahead({ id: idOf("b") }), outcome({ id: idOf("a"), outcome: "error", code: "x" })],
    ],
    [
      "before",
      [outcome({ id: idOf("a"), outcome: "error", code: "x" }), ahead({ id: idOf("b") }), ahead({ id: idOf("a") })],
    ],
  ])("R11: is what came of it, which may stand %s what was written ahead", async (_where, entries) => {
    const { deps, left, inserted } = streams({ 0: entries });
    expect(await drain(deps, [0], NOW)).toBe(2);
    expect(inserted()).toMatchObject([[{ id: idOf("a"), outcome: "error", code: "x", duration_ms: 5 }]]);
    expect(left()).toEqual(["2-0"]);
  });

  it("R11: is what came of it, also pages away", async () => {
    const between = Array.from({ length: 1_200 }, (_, n) => ahead({ id: idOf(`b${n}`), at: LONG_AGO }));
    const { deps, left, inserted } = streams({ 0: [ahead({ id: idOf("a") }), ...between, outcome({ id: idOf("a") })] });
    expect(await drain(deps, [0], NOW)).toBe(1_202);
    expect(inserted().map((rows) => rows.length)).toEqual([500, 500, 202]);
    const of = (id: string) =>
      inserted()
        .flat()
        .filter((row) => row.id === idOf(id));
    expect(of("a").map((row) => row.outcome)).toEqual(["ok", "ok"]);
    expect(left()).toEqual([]);
  });

  it("R11: is taken out only when Postgres has it", async () => {
    const entries = { 0: [ahead({ id: idOf("a"), at: LONG_AGO })] };
    const up = streams(entries);
    await drain(up.deps, [0], NOW);
    expect(up.order).toEqual(["XRANGE", "sql", "XDEL mrg1:audit:0 1-0", "sql"]);
    const down = streams(entries, { down: true });
    await expect(drain(down.deps, [0], NOW)).rejects.toThrow(AWAY);
    expect(down.order).toEqual(["XRANGE", "sql"]);
    expect(down.left()).toEqual(["1-0"]);
  });

  it("R11: is brought again to no harm", async () => {
    const { deps, statements, inserted } = streams({ 0: [outcome({ id: idOf("a") })] });
    expect([await drain(deps, [0], NOW), await drain(deps, [0], NOW)]).toEqual([1, 0]);
    expect(inserted()).toHaveLength(1);
    expect(statements.filter(({ sql }) => !sql.includes("on conflict do nothing"))).toEqual([]);
  });

  it("R11: is looked for in each stream", async () => {
    const { deps, left } = streams({
      0: [outcome({ id: idOf("a") })],
      1: [outcome({ id: idOf("b") })],
      2: [outcome({ id: idOf("c") })],
    });
    expect(await drain(deps, [0, 2], NOW)).toBe(2);
    expect(left()).toEqual(["1-0"]);
  });

  it.each<[string, unknown]>([
    ["no list", "OK"],
    ["nothing", null],
    ["an entry that is none", [null, 7, "x", [], ["1-0"], ["1-0", null], ["1-0", []], [1, ["o", "{}"]]]],
    [
      "a field that is no text",
      [
        ["1-0", ["o", null]],
        ["1-0", [null, "{}"]],
      ],
    ],
    [
      "text that is no JSON",
      [
        ["1-0", ["o", "<html>"]],
        ["1-0", ["i", ""]],
      ],
    ],
    [
      "an entry of no event",
      [
        ["1-0", ["i", "{}"]],
        ["1-0", ["i", "7"]],
      ],
    ],
  ])("is left where it is when it cannot be read: %s", async (_what, garbage) => {
    const { db, statements } = postgres();
    const run: string[] = [];
    const runScript: RunScript = async ({ source }) => {
      run.push(source);
      return garbage;
    };
    expect(await drain({ db, runScript }, [0], NOW)).toBe(0);
    expect(run).toHaveLength(1);
    expect(statements).toHaveLength(1);
  });

  it("is looked for in twenty pages and no more in one run", async () => {
    const { db } = postgres();
    let pages = 0;
    const page = Array.from({ length: 500 }, () => ["1-0", ahead({ id: idOf("young") })]);
    const runScript: RunScript = async () => {
      pages += 1;
      return page;
    };
    await drain({ db, runScript }, [0], NOW);
    expect(pages).toBe(20);
  });
});

describe("R11: what was written ahead in Postgres", () => {
  it("R11: becomes a row of the log after five minutes, by the statement that takes it away", async () => {
    const { deps, statements } = streams({}, { rows: [{ id: "a" }, { id: "b" }] });
    expect(await drain(deps, [], NOW)).toBe(2);
    expect(statements).toHaveLength(1);
    expect(statements[0]?.sql).toMatch(/delete from "audit_intent" where at < \$1.*insert into "audit_log"/s);
    expect(statements[0]?.params).toEqual([new Date(NOW - 300_000).toISOString()]);
  });
});
