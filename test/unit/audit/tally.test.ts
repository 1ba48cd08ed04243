import { describe, expect, it } from "vitest";
import { happened, unauthenticated, type AuditEvent } from "../../../src/audit/event.ts";
import { createTally } from "../../../src/audit/tally.ts";

const START = 1_800_000_000_000;

function counted(events: readonly AuditEvent[]): AuditEvent[] {
  const rows: AuditEvent[] = [];
  const tally = createTally((event) => void rows.push(event));
  for (const event of events) tally.count(event);
  return rows;
}

/** A refused sign-in, so many seconds after the start. */
function refused(seconds: number, who: { ip?: string; userId?: string; target?: string; code?: string } = {}) {
  const { ip = "192.0.2.1", userId = null, target = null, code = "unknown_account" } = who;
  const actor = { ...unauthenticated({ requestId: "request-1", ip, userAgent: null }), userId };
  const what = { event: "account.sign_in_refused", outcome: "refused", tenantId: null, target, code, actor } as const;
  return happened(what, START + seconds * 1000);
}

describe("events that can be caused without end", () => {
  it("are recorded at once, then counted for a minute; the next entry says how many it stands for", () => {
    const rows = counted([0, 1, 30, 59, 60, 61, 121].map((seconds) => refused(seconds)));
    expect(rows.map(({ at, detail }) => [(at - START) / 1000, detail["count"]])).toEqual([
      [0, undefined],
      [60, 4],
      [121, 2],
    ]);
  });

  it("are told apart by what happened, why, and who: a user, a target, or a network block", () => {
    const rows = counted([
      refused(0),
      refused(0, { code: "banned" }),
      refused(0, { userId: "user-1" }),
      refused(0, { userId: "user-1", ip: "198.51.100.7" }),
      refused(0, { target: "hash" }),
      refused(0, { ip: "198.51.100.7" }),
      refused(0, { ip: "2001:db8::1" }),
      refused(0, { ip: "2001:db8::2" }),
    ]);
    expect(rows).toHaveLength(6);
  });

  it("fill the log from many networks only up to a bound, and are counted beyond it", () => {
    const networks = Array.from({ length: 500 }, (_value, index) => ({ ip: `10.${index % 250}.${index >> 4}.1` }));
    const rows = counted([...networks.map((who) => refused(0, who)), refused(60, networks.at(-1))]);
    expect(rows).toHaveLength(121);
    expect(rows.at(-1)?.detail).toEqual({ count: 2 });
  });

  it("take a bounded place in memory: what was seen first is forgotten", () => {
    const others = Array.from({ length: 5_000 }, (_value, index) => refused(1, { target: `other-${index}` }));
    const rows = counted([refused(0), ...others, refused(61)]);
    expect(rows.at(-1)?.detail).toEqual({});
  });
});
