import { describe, expect, it } from "vitest";
import { createBreaker } from "../../../../src/platform/redis/breaker.ts";

const SETTINGS = { faults: 5, withinMs: 10_000, openMs: 10_000 };
const START = 1_700_000_000_000;

/** A breaker that has just opened, and when. */
function opened() {
  const breaker = createBreaker(SETTINGS);
  for (let time = 0; time < 5; time++) breaker.failed(START);
  return breaker;
}

describe("a breaker", () => {
  it("is closed at first and stays so while there are few faults", () => {
    const breaker = createBreaker(SETTINGS);
    for (let time = 0; time < 4; time++) expect(breaker.failed(START + time)).toBe(false);
    expect([breaker.allows(START + 5), breaker.state(START + 5)]).toEqual([true, "closed"]);
  });

  it("M06: opens at the fifth fault within ten seconds, says so once, and lets nothing through for ten seconds", () => {
    const breaker = createBreaker(SETTINGS);
    const said = [0, 2_000, 4_000, 6_000, 9_999, 9_999].map((at) => breaker.failed(START + at));
    expect(said).toEqual([false, false, false, false, true, false]);
    for (const at of [9_999, 15_000, 19_998])
      expect([breaker.allows(START + at), breaker.state(START + at)]).toEqual([false, "open"]);
    expect(breaker.allows(START + 19_999)).toBe(true);
  });

  it("does not open for faults that are spread out", () => {
    const breaker = createBreaker(SETTINGS);
    for (let time = 0; time < 50; time++) expect(breaker.failed(START + time * 2_500)).toBe(false);
    expect(breaker.allows(START + 125_000)).toBe(true);
  });

  it("counts faults between answers all the same: a part that fails every other time is down", () => {
    const breaker = createBreaker(SETTINGS);
    for (let time = 0; time < 5; time++) {
      breaker.succeeded(START + time);
      breaker.failed(START + time);
    }
    expect(breaker.allows(START + 6)).toBe(false);
  });

  it("lets one probe through, and all once that is answered", () => {
    const breaker = opened();
    const now = START + 10_000;
    expect([1, 2, 3].map(() => breaker.allows(now))).toEqual([true, false, false]);
    expect(breaker.state(now)).toBe("probing");
    breaker.succeeded(now + 5);
    expect([breaker.state(now + 5), breaker.allows(now + 5), breaker.allows(now + 5)]).toEqual(["closed", true, true]);
  });

  it("starts from nothing after it has closed", () => {
    const breaker = opened();
    breaker.allows(START + 10_000);
    breaker.succeeded(START + 10_000);
    for (let time = 0; time < 4; time++) expect(breaker.failed(START + 10_001)).toBe(false);
    expect(breaker.failed(START + 10_001)).toBe(true);
  });

  it("stays open for as long again when the probe fails", () => {
    const breaker = opened();
    breaker.allows(START + 10_000);
    expect(breaker.failed(START + 10_250)).toBe(false);
    expect(breaker.allows(START + 20_249)).toBe(false);
    expect(breaker.allows(START + 20_250)).toBe(true);
  });

  it("sends another probe when the first one never reports", () => {
    const breaker = opened();
    expect(breaker.allows(START + 10_000)).toBe(true);
    expect(breaker.allows(START + 19_999)).toBe(false);
    expect(breaker.allows(START + 20_000)).toBe(true);
  });

  it("is not closed, and not kept open longer, by requests that were sent before it opened", () => {
    const breaker = opened();
    breaker.succeeded(START + 1);
    breaker.failed(START + 9_000);
    expect(breaker.allows(START + 9_999)).toBe(false);
    expect(breaker.allows(START + 10_000)).toBe(true);
  });
});
