import { describe, expect, it } from "vitest";
import { untrustedText } from "../../../../src/web/frame/untrusted.ts";
import { inWords } from "../../../../src/web/frame/time.tsx";

describe("text that others choose", () => {
  it.each([
    ["  Tool\r\n\tfor\u00a0work ", "Tool for work"],
    ["evil\u202egpj.exe", "evil gpj.exe"],
    ["a\u200bb\u2066c\ufeff", "a b c"],
    ["\u001b[31mred", "[31mred"],
    ["a\u0000b", "a b"],
    [`e${"\u0301".repeat(50)}`, "e\u0301\u0301"],
    ["Café Ünïcode 漢字", "Café Ünïcode 漢字"],
    ["\u200b\u2060", ""],
  ])("shows %j as %j", (text, shown) => {
    expect(untrustedText(text)).toBe(shown);
  });

  it("is cut between characters", () => {
    expect(untrustedText("😀".repeat(100), 10)).toBe(`${"😀".repeat(9)}…`);
    expect(untrustedText("x".repeat(10), 10)).toBe("x".repeat(10));
  });
});

describe("a wait", () => {
  it.each([
    [1, "1 second"],
    [10, "10 seconds"],
    [119, "119 seconds"],
    [121, "3 minutes"],
  ])("of %i seconds is %s", (seconds, words) => {
    expect(inWords(seconds)).toBe(words);
  });
});
