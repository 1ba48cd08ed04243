import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditText } from "../../../src/audit/event.ts";

/** What must not reach a log that people read: control characters, line separators, marks that turn the direction of text. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

describe("N04: text from outside in the audit log", () => {
  it("N04: is absent when there is none", () => {
    expect(auditText(null)).toBeNull();
    expect(auditText(undefined)).toBeNull();
    expect(auditText("")).toBe("");
  });

  it.each([
    ["an ordinary name", "notes__create_note", "notes__create_note"],
    ["text of people", "Zoë says 你好 👋", "Zoë says 你好 👋"],
    ["a formula, which only an export may have to mark", "=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"],
    ["markup, which the page escapes", "<img onerror=x>", "<img onerror=x>"],
    ["line breaks", "a\r\nINFO forged", "a\ufffd\ufffdINFO forged"],
    ["colours of a terminal", "\u001b[31mred\u001b[0m", "\ufffd[31mred\ufffd[0m"],
    ["an 8-bit terminal sequence", "\u009b31m", "\ufffd31m"],
    ["NUL", "a\u0000b", "a\ufffdb"],
    ["delete", "a\u007fb", "a\ufffdb"],
    ["a turned direction", "invoice\u202efdp.exe", "invoice\ufffdfdp.exe"],
    ["isolated directions", "\u2066a\u2069", "\ufffda\ufffd"],
    ["direction marks", "a\u200e\u200fb", "a\ufffd\ufffdb"],
    ["line and paragraph separators", "a\u2028b\u2029c", "a\ufffdb\ufffdc"],
    ["half a character", "a\ud83d", "a\ufffd"],
    ["no characters", "\ufffe\uffff", "\ufffd\ufffd"],
  ])("N04: is kept readable and harmless: %s", (_what, text, kept) => {
    expect(auditText(text)).toBe(kept);
  });

  it("N04: is cut to 256 characters, and never to half of one", () => {
    expect(auditText("x".repeat(256))).toBe("x".repeat(256));
    expect(auditText("x".repeat(1_000_000))).toBe("x".repeat(256));
    expect(auditText(`${"x".repeat(255)}👋`)).toBe(`${"x".repeat(255)}\ufffd`);
  });

  it("N04: is safe to keep and to show, whatever it was", () => {
    const hostile = fc.string({ unit: "binary", maxLength: 300 });
    const halves = fc.array(fc.nat(0xffff), { maxLength: 300 }).map((codes) => String.fromCharCode(...codes));
    fc.assert(
      fc.property(fc.oneof(hostile, halves), (text) => {
        const kept = auditText(text) ?? "";
        expect(kept).not.toMatch(UNSAFE);
        expect(kept.isWellFormed()).toBe(true);
        expect(kept.length).toBeLessThanOrEqual(256);
        expect(auditText(kept)).toBe(kept);
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
