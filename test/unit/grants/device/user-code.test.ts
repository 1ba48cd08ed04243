import { describe, expect, it } from "vitest";
import { newUserCode, readUserCode } from "../../../../src/grants/device/user-code.ts";

describe("a user code", () => {
  it("is eight consonants in two groups, each of the twenty about as often as another", () => {
    const counts = new Map<string, number>();
    const codes = Array.from({ length: 5_000 }, newUserCode);
    for (const code of codes) {
      expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
      for (const letter of code.replace("-", "")) counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    expect(new Set(codes).size).toBe(codes.length);
    expect(counts.size).toBe(20);
    for (const count of counts.values()) expect(Math.abs(count - 2_000)).toBeLessThan(300);
  });

  it.each(["WDJB-MJHT", "wdjb-mjht", "WDJBMJHT", " wdjb mjht ", "W.D.J.B–M.J.H.T", "WDJB\tMJHT\n"])(
    "is read as it was meant: %j",
    (typed) => {
      expect(readUserCode(typed)).toBe("WDJB-MJHT");
    },
  );

  it.each([
    "",
    "WDJB-MJH",
    "WDJB-MJHTT",
    "WDJB-MJHA",
    "WDJB-MJH1",
    "WDJB-MJH\u0000",
    "ＷＤＪＢ-ＭＪＨＴ",
    " ".repeat(50),
  ])("is none: %j", (typed) => {
    expect(readUserCode(typed)).toBeUndefined();
  });
});
