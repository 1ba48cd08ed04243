import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalsInConstantTime, hmac, randomToken, sha256, uuidv7 } from "../../../src/platform/crypto.ts";

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

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{12}$/;
const MAX_TIME = 2 ** 48 - 1;

describe("a UUID of version 7", () => {
  it("has version 7 and the variant of RFC 9562, at any time", () => {
    fc.assert(
      fc.property(fc.nat(MAX_TIME), (now) => {
        const [, version, variant] = UUID.exec(uuidv7(now)) ?? [];
        expect(version).toBe("7");
        expect(variant).toMatch(/[89ab]/);
      }),
      { seed: 7 },
    );
  });

  it("begins with its time in milliseconds, as the example of RFC 9562 §A.6 does", () => {
    expect(uuidv7(0x017f22e279b0).slice(0, 14)).toBe("017f22e2-79b0-");
    fc.assert(
      fc.property(fc.nat(MAX_TIME), (now) => {
        expect(Number.parseInt(uuidv7(now).replace("-", "").slice(0, 12), 16)).toBe(now);
      }),
      { seed: 7 },
    );
  });

  it("sorts by its time", () => {
    fc.assert(
      fc.property(fc.nat(MAX_TIME), fc.nat(MAX_TIME), (a, b) => {
        fc.pre(a < b);
        expect(uuidv7(a) < uuidv7(b)).toBe(true);
      }),
      { seed: 7 },
    );
  });

  it("differs from the others of its millisecond", () => {
    expect(new Set(Array.from({ length: 1000 }, () => uuidv7(1))).size).toBe(1000);
  });

  it("is of now unless told", () => {
    const before = Date.now();
    const time = Number.parseInt(uuidv7().replace("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });
});
