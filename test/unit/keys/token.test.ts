import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32, generateApiKey, isApiKey, KEY_START_LENGTH, looksLikeApiKey } from "../../../src/keys/token.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".split("");
const FORM = /^mrg_(live|test)_[0-9A-Za-z]{49}$/;
/** Written down once: keys that were issued must stay valid. */
const ISSUED = "mrg_live_4mjJy1wBKevLRJjktUG5j2Pw29qPNPACtHAA0wOIl6Z2mrZIg";

/** Keys with every random part, without the randomness of the generator: a failure can be repeated. */
const keys = fc
  .tuple(fc.constantFrom("live", "test"), fc.string({ unit: fc.constantFrom(...BASE62), minLength: 43, maxLength: 43 }))
  .map(([kind, secret]) => withChecksum(`mrg_${kind}_${secret}`));

/** The checksum as the contract describes it, written a second time. */
function withChecksum(body: string): string {
  let rest = BigInt(crc32(body));
  let digits = "";
  for (let i = 0; i < 6; i++) {
    digits = `${BASE62[Number(rest % 62n)]}${digits}`;
    rest /= 62n;
  }
  return body + digits;
}

describe("CRC-32", () => {
  it.each([
    ["", 0],
    ["a", 0xe8b7be43],
    ["abc", 0x352441c2],
    ["message digest", 0x20159d7f],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
    ["a".repeat(1000), 0x9a38da03],
  ])("of %j is the published value", (text, value) => {
    expect(crc32(text)).toBe(value);
  });
});

describe("an API key", () => {
  it("has the form that the contract states", () => {
    expect(generateApiKey()).toMatch(/^mrg_live_[0-9A-Za-z]{49}$/);
    expect(generateApiKey("live")).toMatch(/^mrg_live_[0-9A-Za-z]{49}$/);
    expect(generateApiKey("test")).toMatch(/^mrg_test_[0-9A-Za-z]{49}$/);
  });

  it("is accepted when it was generated", () => {
    const generated = Array.from({ length: 200 }, (_, i) => generateApiKey(i % 2 === 0 ? "live" : "test"));
    expect(generated.filter((key) => !isApiKey(key))).toEqual([]);
    expect(new Set(generated).size).toBe(200);
  });

  it("is accepted with the checksum that its description gives, whatever its randomness", () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(key).toMatch(FORM);
        expect(isApiKey(key)).toBe(true);
      }),
      { seed: 62, numRuns: 300 },
    );
  });

  it("stays valid once it was issued", () => {
    expect(isApiKey(ISSUED)).toBe(true);
  });

  it("is drawn evenly from its alphabet", () => {
    const counts = new Map(BASE62.map((character) => [character, 0]));
    const drawn = 43 * 3000;
    for (let i = 0; i < 3000; i++) {
      for (const character of generateApiKey().slice(9, 52)) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(62);
    const expected = drawn / 62;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 61 degrees of freedom: even draws exceed 150 less than once in a hundred million runs, bytes modulo 62 reach about 850.
    expect(chiSquare).toBeLessThan(150);
  });

  it("may be shown up to the fourth random character", () => {
    expect(KEY_START_LENGTH).toBe(13);
    expect(ISSUED.slice(0, KEY_START_LENGTH)).toMatch(/^mrg_live_[0-9A-Za-z]{4}$/);
  });
});

describe("J05: a key that is not as it was issued", () => {
  it("J05: is refused for every change of one character", () => {
    fc.assert(
      fc.property(keys, fc.constantFrom(...BASE62, "_", "-", " "), (key, character) => {
        const changed = Array.from({ length: key.length }, (_, at) => key.slice(0, at) + character + key.slice(at + 1));
        expect(changed.filter((text) => text !== key && isApiKey(text))).toEqual([]);
      }),
      { seed: 62, numRuns: 200 },
    );
  });

  it("J05: is refused for every exchange of neighbours", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const swapped = Array.from(
          { length: key.length - 1 },
          (_, at) => key.slice(0, at) + key.charAt(at + 1) + key.charAt(at) + key.slice(at + 2),
        );
        expect(swapped.filter((text) => text !== key && isApiKey(text))).toEqual([]);
      }),
      { seed: 62, numRuns: 300 },
    );
  });

  it("J05: is refused when a character is missing, doubled or added", () => {
    fc.assert(
      fc.property(keys, fc.nat(57), (key, at) => {
        const wrong = [
          key.slice(0, at) + key.slice(at + 1),
          key.slice(0, at + 1) + key.slice(at),
          `${key}0`,
          `0${key}`,
        ];
        expect(wrong.filter(isApiKey)).toEqual([]);
      }),
      { seed: 62, numRuns: 300 },
    );
  });

  it("J05: is refused in another length or alphabet even with a right checksum", () => {
    const bodies = ["", "a".repeat(42), "a".repeat(44), `${"a".repeat(42)}-`, `${"a".repeat(42)}_`].map(
      (secret) => `mrg_live_${secret}`,
    );
    const kinds = ["mrg_prod_", "mrg__", "mrg_LIVE_", "mrg-live_", "xmrg_live_", "live_"].map(
      (kind) => kind + "a".repeat(43),
    );
    expect(isApiKey(withChecksum(`mrg_live_${"a".repeat(43)}`))).toBe(true);
    expect([...bodies, ...kinds].map(withChecksum).filter(isApiKey)).toEqual([]);
  });

  it("J05: is refused when live and test are exchanged", () => {
    fc.assert(
      fc.property(keys, (key) => {
        const other = key.replace(/^mrg_(live|test)/, (start) => (start === "mrg_live" ? "mrg_test" : "mrg_live"));
        expect(isApiKey(other)).toBe(false);
      }),
      { seed: 62 },
    );
  });

  it.each([
    "",
    "mrg_",
    "mrg_live_",
    ISSUED.toLowerCase(),
    ISSUED.toUpperCase(),
    ` ${ISSUED}`,
    `${ISSUED}\n`,
    `${ISSUED} `,
    `${ISSUED}${ISSUED}`,
    ISSUED.replace("live", "prod"),
    ISSUED.slice(0, -1),
    "x".repeat(65_536),
    `mrg_live_${"é".repeat(49)}`,
    `mrg_live_${"０".repeat(49)}`,
  ])("J05: is refused in another form: %.40j", (text) => {
    expect(isApiKey(text)).toBe(false);
  });

  it("is still told from a credential of another kind by how it begins", () => {
    expect(looksLikeApiKey("mrg_anything")).toBe(true);
    expect(["", "MRG_live_x", " mrg_live_x", "mrg-live", "eyJhbGciOiJFUzI1NiJ9.e30.x"].filter(looksLikeApiKey)).toEqual(
      [],
    );
  });
});
