import { describe, expect, it } from "vitest";
import { noteUsage } from "../../../src/access/usage.ts";
import { createJournal } from "../../../src/audit/journal.ts";
import { lastUses as newLastUses } from "../../../src/keys/last-use.ts";
import { quotaCounts as newQuotaCounts } from "../../../src/limits/quota.ts";
import { event, NOW, postgres } from "../audit/trail.ts";

const AWAY = new Error("away");

/** What notes uses, with the journal that writes them. */
function fake(answer: (statement: number) => unknown[] | Error = () => []) {
  const { db, statements } = postgres(answer);
  const waits: number[] = [];
  const [lastUses, quotaCounts] = [newLastUses(), newQuotaCounts()];
  const clock = { now: NOW };
  const journal = createJournal({
    db,
    runScript: async () => 0,
    background: () => {},
    wait: (ms) => {
      waits.push(ms);
      return new Promise(() => {});
    },
    now: () => clock.now,
    log: () => {},
    companions: [lastUses, quotaCounts],
  });
  return { note: noteUsage({ lastUses, quotaCounts, journal }), journal, statements, waits, clock };
}

const used = (keyId: string, at: number) => ({ keyId, at });
const spent = (chainId: string, n: number, period = "2027-01") => ({
  ...used("key-1", NOW),
  quota: { chainId, period, used: n },
});

/** What a statement says of last uses, the parameter after those of the entries and intents; of quotas, the last one. */
const usesOf = ({ params }: { params: unknown[] }) => JSON.parse(String(params[2])) as unknown[];
const quotasOf = ({ params }: { params: unknown[] }) => JSON.parse(String(params.at(-1))) as unknown[];

describe("what calls have used", () => {
  it("is noted of a key once a minute", async () => {
    const { note, journal, statements } = fake();
    for (const at of [0, 1, 59_999, 60_000, 60_001]) {
      note(used("key-1", NOW + at));
      await journal.flush();
    }
    expect(statements.map(usesOf)).toEqual([
      [{ id: "key-1", at: new Date(NOW).toISOString() }],
      [{ id: "key-1", at: new Date(NOW + 60_000).toISOString() }],
    ]);
  });

  it("plans no write when there is nothing to note", () => {
    const { note, waits, clock } = fake();
    note(used("key-1", NOW));
    clock.now += 10_000;
    note(used("key-1", NOW + 10_000));
    expect(waits).toHaveLength(1);
  });

  it("is noted of each key, with the events of the same half second", async () => {
    const { note, journal, statements, waits } = fake();
    note(used("key-1", NOW));
    note(used("key-2", NOW));
    journal.record(event());
    await journal.flush();
    expect(waits).toHaveLength(1);
    expect(statements).toHaveLength(1);
    expect(statements.flatMap(usesOf)).toHaveLength(2);
    expect(statements[0]?.sql).toContain("last_request is null or last_request < u.at");
  });

  it("is written of a key at its next use when Postgres did not answer", async () => {
    const failures = [AWAY];
    const { note, journal, statements } = fake(() => failures.pop() ?? []);
    for (const at of [0, 1, 2]) {
      note(used("key-1", NOW + at));
      await journal.flush();
    }
    expect(statements.map(usesOf)).toEqual([
      [{ id: "key-1", at: new Date(NOW).toISOString() }],
      [{ id: "key-1", at: new Date(NOW + 1).toISOString() }],
    ]);
  });

  it("is the last count of each quota, which never makes a higher one in Postgres lower", async () => {
    const { note, journal, statements } = fake();
    for (const [chainId, n] of [
      ["chain-1", 1],
      ["chain-1", 2],
      ["chain-2", 9],
      ["chain-1", 3],
    ] as const) {
      note(spent(chainId, n));
    }
    await journal.flush();
    expect(statements.map(quotasOf)).toEqual([
      [
        { chain_id: "chain-2", period: "2027-01", used: 9 },
        { chain_id: "chain-1", period: "2027-01", used: 3 },
      ],
    ]);
    expect(statements[0]?.sql).toMatch(/update apikey .*insert into "quota_use" /s);
    expect(statements[0]?.sql).toContain("do update set used = greatest(q.used, excluded.used)");
  });

  it("is the count of the later period", async () => {
    const { note, journal, statements } = fake();
    for (const period of ["2027-01", "2027-02", "2027-01"])
      note(spent("chain-1", period === "2027-02" ? 1 : 9, period));
    await journal.flush();
    expect(statements.map(quotasOf)).toEqual([[{ chain_id: "chain-1", period: "2027-02", used: 1 }]]);
  });

  it("is written later when Postgres does not answer, unless more was used meanwhile", async () => {
    const failures = [AWAY];
    const noteMore = { run: () => {} };
    const { note, journal, statements } = fake(() => {
      noteMore.run();
      return failures.pop() ?? [];
    });
    note(spent("chain-1", 5));
    note(spent("chain-2", 1));
    noteMore.run = () => note(spent("chain-1", 7));
    await journal.flush();
    noteMore.run = () => {};
    await journal.flush();
    expect(statements).toHaveLength(2);
    expect(statements.map(quotasOf)[1]).toEqual(
      expect.arrayContaining([
        { chain_id: "chain-1", period: "2027-01", used: 7 },
        { chain_id: "chain-2", period: "2027-01", used: 1 },
      ]),
    );
  });
});
