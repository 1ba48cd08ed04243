import { describe, expect, it } from "vitest";
import { isNamePattern, isWanted, likePattern } from "../../../../src/registry/mirror/name-rules.ts";

describe("patterns of names", () => {
  it.each<[string, string, boolean]>([
    ["*", "com.example/weather", true],
    ["com.example/*", "com.example/weather", true],
    ["com.example/*", "com.example.evil/weather", false],
    ["com.example*", "com.example.tools/weather", true],
    ["*/weather", "com.example/weather", true],
    ["*/weather", "com.example/weather-2", false],
    ["com.*/we*r", "com.example/weather", true],
    ["com.*/we*r", "com.example/we", false],
    ["com.example/weather", "com.example/weather", true],
    ["com.example/weather", "com.example/weather2", false],
    ["COM.example/*", "com.Example/weather", true],
    ["com.example/*ab", "com.example/aab", true],
    ["com.example/a*a", "com.example/a", false],
    ["com.example/_*", "com.example/x", false],
    ["com.example/*.*", "com.example/xy", false],
    ["", "com.example/x", false],
  ])("%s and %s: %s", (pattern, name, fits) => {
    expect(isWanted(name, { allow: [pattern], deny: [] })).toBe(fits);
    expect(isWanted(name, { allow: ["*"], deny: [pattern] })).toBe(!fits);
  });

  it("mirror what any of them allows and none denies", () => {
    const rules = { allow: ["com.example/*", "org.example/*"], deny: ["*/secret", "org.example/x*"] };
    const names = ["com.example/a", "org.example/a", "com.example/secret", "org.example/xyz", "net.example/a"];
    expect(names.filter((name) => isWanted(name, rules))).toEqual(["com.example/a", "org.example/a"]);
    expect(isWanted("com.example/a", { allow: [], deny: [] })).toBe(false);
  });

  it.each(["*", "com.example/*", "*/x", "io.github.*/a*b", "a-b_c.d/e"])("can be %s", (text) => {
    expect(isNamePattern(text)).toBe(true);
  });

  it.each(["", "a b", "a%", "a\\", "a'b", "ü/x", "*a*b*c*", "a".repeat(201), "a\nb", "(a+)+"])(
    "cannot be %j",
    (text) => {
      expect(isNamePattern(text)).toBe(false);
    },
  );

  it("become patterns for like in which only * has a meaning", () => {
    expect(likePattern("Com.Example/a_b*")).toBe(String.raw`com.example/a\_b%`);
    expect(likePattern("*/x")).toBe("%/x");
  });
});
