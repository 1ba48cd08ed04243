import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalsInConstantTime, hmac, randomToken, sha256 } from "../../../src/platform/crypto.ts";

describe("SHA-256", () => {
  it.each([
    ["", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"],
    ["abc", "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"],
    ["\u00e9", "SplVfkAzw1Od4utlRyAXytX5VX96BiWgnxw_biumnEw"],
  ])("of the UTF-8 of %j is the known value", async (text, digest) => {
    expect(await sha256(text)).toBe(digest);
  });
});

describe("HMAC-SHA-256", () => {
  it("is the value of RFC 4231 §4.3", async () => {
    const expected = Buffer.from("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "hex");
    expect(await hmac("Jefe", "what do ya want for nothing?")).toEqual(new Uint8Array(expected));
  });
});

describe("a comparison in constant time", () => {
  it("is true for equal texts only", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        expect(equalsInConstantTime(a, a)).toBe(true);
        expect(equalsInConstantTime(a, b)).toBe(a === b);
      }),
      { seed: 1 },
    );
  });

  it.each([
    ["", "a"],
    ["a", ""],
    ["abc", "abd"],
    ["abc", "bbc"],
    ["abc", "abcd"],
    ["abcd", "abc"],
    ["abc", "abc\u0000"],
    ["abc\u0000", "abc"],
    ["é", "e"],
  ])("tells %j from %j", (a, b) => {
    expect(equalsInConstantTime(a, b)).toBe(false);
  });
});

describe("a random token", () => {
  it("has the asked number of bytes and does not repeat", () => {
    const tokens = Array.from({ length: 200 }, () => randomToken(32));
    expect(tokens.filter((token) => !/^[A-Za-z0-9_-]{43}$/.test(token))).toEqual([]);
    expect(new Set(tokens).size).toBe(200);
    expect(randomToken(16)).toHaveLength(22);
  });
});
