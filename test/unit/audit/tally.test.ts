import { describe, expect, it } from "vitest";
import { unauthenticated, type AuditEvent } from "../../../src/audit/event.ts";
import { tally, type TallyLimits } from "../../../src/audit/tally.ts";
import { event, NOW } from "./trail.ts";

const MINUTE = 60_000;
const LIMITS: TallyLimits = { windowMs: MINUTE, maxKeys: 100, rowsPerMinute: 1_000 };

/** An unauthenticated try. */
const tryFrom = (ip: string | null, at: number, change: Partial<AuditEvent> = {}): AuditEvent =>
  event({
    id: `${ip}@${at - NOW}`,
    at,
    event: "mcp.refused",
    code: "rate_limited",
    outcome: "refused",
    actor: unauthenticated({ requestId: "req-1", ip, userAgent: null }),
    detail: { method: "password" },
    ...change,
  });
const shown = (entries: readonly AuditEvent[]) => entries.map(({ id, detail }) => [id, detail["count"]]);

describe("R11: a tally of what callers can cause without end", () => {
  it("records the first at once, and what follows in its window as one entry after it, with how often", () => {
    const { count } = tally(LIMITS);
    expect(shown(count(tryFrom("192.0.2.1", NOW)))).toEqual([["192.0.2.1@0", undefined]]);
    for (const at of [1, 2, MINUTE - 1]) expect(count(tryFrom("192.0.2.1", NOW + at))).toEqual([]);
    expect(shown(count(tryFrom("192.0.2.1", NOW + MINUTE)))).toEqual([
      [`192.0.2.1@${MINUTE - 1}`, 3],
      [`192.0.2.1@${MINUTE}`, undefined],
    ]);
  });

  it("brings what was counted with the try of anybody else, or when it is asked", () => {
    const { count, due } = tally(LIMITS);
    for (const at of [0, 1, 2]) count(tryFrom("192.0.2.1", NOW + at));
    expect(due(NOW + MINUTE - 1)).toEqual([]);
    expect(shown(count(tryFrom("198.51.100.1", NOW + MINUTE)))).toEqual([
      ["192.0.2.1@2", 2],
      [`198.51.100.1@${MINUTE}`, undefined],
    ]);
    count(tryFrom("198.51.100.1", NOW + MINUTE + 1));
    expect(due(NOW + 2 * MINUTE)).toEqual([
      tryFrom("198.51.100.1", NOW + MINUTE + 1, { detail: { method: "password", count: 1 } }),
    ]);
    expect(due(NOW + 9 * MINUTE)).toEqual([]);
  });

  it("says nothing twice of what happened once", () => {
    const { count, due } = tally(LIMITS);
    count(tryFrom("192.0.2.1", NOW));
    expect(due(NOW + MINUTE)).toEqual([]);
    expect(shown(count(tryFrom("192.0.2.1", NOW + MINUTE)))).toEqual([[`192.0.2.1@${MINUTE}`, undefined]]);
  });

  it("tells apart events, codes, credentials, address blocks and what else is given", () => {
    const { count } = tally(LIMITS);
    const tries: [AuditEvent, string?][] = [
      [tryFrom("192.0.2.1", NOW)],
      [tryFrom("192.0.2.2", NOW)],
      [tryFrom("2001:db8::1", NOW)],
      [tryFrom(null, NOW)],
      [tryFrom("192.0.2.1", NOW, { code: "quota_exceeded" })],
      [tryFrom("192.0.2.1", NOW, { event: "api.refused" })],
      [tryFrom("192.0.2.1", NOW, { actor: event().actor })],
      [tryFrom("192.0.2.1", NOW), "a login name"],
    ];
    expect(tries.map((one) => count(...one).length)).toEqual(tries.map(() => 1));
    expect(count(tryFrom("2001:db8::ffff", NOW))).toEqual([]);
    expect(count(tryFrom("203.0.113.7", NOW, { actor: event().actor }))).toEqual([]);
  });

  it("forgets the oldest when there are too many callers, and loses nothing of what it counted", () => {
    const { count, due } = tally({ ...LIMITS, maxKeys: 2 });
    for (const at of [0, 1]) count(tryFrom("192.0.2.1", NOW + at));
    count(tryFrom("192.0.2.2", NOW + 2));
    expect(shown(count(tryFrom("192.0.2.3", NOW + 3)))).toEqual([
      ["192.0.2.1@1", 1],
      ["192.0.2.3@3", undefined],
    ]);
    expect(due(NOW + MINUTE + 3)).toEqual([]);
  });

  it("has so many entries a minute and no more, however many addresses a flood has; the rest is a number", () => {
    const { count, due, givenUp } = tally({ ...LIMITS, maxKeys: 50, rowsPerMinute: 10 });
    const flood = Array.from({ length: 1_000 }, (_, n) => count(tryFrom(`10.0.${n >> 8}.${n & 255}`, NOW + n)).length);
    expect(flood.reduce((sum, rows) => sum + rows, 0)).toBe(10);
    expect(givenUp()).toBe(1_000 - 10 - 50);
    expect(givenUp()).toBe(0);
    expect(due(NOW + 3 * MINUTE)).toHaveLength(10);
    expect(givenUp()).toBe(40);
  });
});
