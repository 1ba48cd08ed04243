import fc from "fast-check";
import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import {
  decodeCursor,
  encodeCursor,
  MAX_SEARCH_LENGTH,
  type ListCursor,
} from "../../../../src/registry/reading/cursor.ts";

const encode = (content: unknown) => base64url.encode(JSON.stringify(content));
const GOOD = { v: 1, n: "com.example/weather", r: "1.0.0", d: false };

const name = fc.stringMatching(/^[a-z][a-z0-9]{1,30}\/[A-Za-z0-9][A-Za-z0-9._-]{0,60}[A-Za-z0-9]$/);
const version = fc.stringMatching(/^[0-9A-Za-z][0-9A-Za-z._+~:!-]{0,100}$/);
const search = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  .filter((text) => text.trim() !== "" && text.length <= MAX_SEARCH_LENGTH && !/\p{Cc}/u.test(text));
const filters = fc
  .record(
    { search, version: fc.oneof(fc.constant("latest"), version), updatedSince: fc.nat(8_640_000_000_000) },
    { requiredKeys: [] },
  )
  .chain((some) =>
    (some.updatedSince === undefined ? fc.boolean() : fc.constant(true)).map((includeDeleted) => ({
      ...some,
      includeDeleted,
    })),
  );
const cursors: fc.Arbitrary<ListCursor> = fc.record({ after: fc.record({ name, version }), filters });

describe("a list's cursor", () => {
  it("brings back the position and every filter, in characters that a URL takes as they are", () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        const text = encodeCursor(cursor);
        expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(decodeCursor(text)).toEqual(cursor);
      }),
    );
  });

  it("holds the longest position and search", () => {
    const cursor: ListCursor = {
      after: { name: `com.example/${"a".repeat(188)}`, version: `1${"~".repeat(254)}` },
      filters: {
        search: "€".repeat(MAX_SEARCH_LENGTH),
        version: "!".repeat(255),
        includeDeleted: true,
        updatedSince: 8_640_000_000_000_000,
      },
    };
    expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
  });

  it("P08: is not believed when a character of it was changed into what we never write", () => {
    fc.assert(
      fc.property(cursors, fc.nat(), fc.constantFrom("A", "z", "-", "_", "9"), (cursor, at, character) => {
        const text = encodeCursor(cursor);
        const index = at % text.length;
        const changed = text.slice(0, index) + character + text.slice(index + 1);
        const decoded = decodeCursor(changed);
        expect(decoded === undefined || encodeCursor(decoded) === changed).toBe(true);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["the official registry's", "com.example/weather:1.0.0"],
    ["text", "hello"],
    ["padding", `${encode(GOOD)}=`],
    ["blanks", ` ${encode(GOOD)}`],
    ["standard base64", btoa(JSON.stringify({ ...GOOD, s: "???>>>" }))],
    ["too much", encode({ ...GOOD, s: "a".repeat(5_000) })],
    ["JSON in another spelling", base64url.encode(JSON.stringify(GOOD, null, 1))],
    ["a byte order mark", base64url.encode(`\ufeff${JSON.stringify(GOOD)}`)],
    ["broken UTF-8", base64url.encode(new Uint8Array([0x7b, 0xff, 0x7d]))],
    ["null", encode(null)],
    ["a list", encode([1])],
    ["another format", encode({ ...GOOD, v: 2 })],
    ["no position", encode({ v: 1, d: false })],
    ["no name", encode({ ...GOOD, n: "weather' OR 1=1 --" })],
    ["no version", encode({ ...GOOD, r: "" })],
    ["a version with a NUL", encode({ ...GOOD, r: "1\u0000" })],
    ["a search with a NUL", encode({ v: 1, n: GOOD.n, r: "1", s: "a\u0000", d: false })],
    ["a search of blanks", encode({ v: 1, n: GOOD.n, r: "1", s: "  ", d: false })],
    ["a long search", encode({ v: 1, n: GOOD.n, r: "1", s: "a".repeat(MAX_SEARCH_LENGTH + 1), d: false })],
    ["half a character", encode({ v: 1, n: GOOD.n, r: "1", s: "\ud800", d: false })],
    ["a time that is none", encode({ v: 1, n: GOOD.n, r: "1", u: 1e17, d: true })],
    ["a time before 1970", encode({ v: 1, n: GOOD.n, r: "1", u: -1, d: true })],
    ["a time as text", encode({ v: 1, n: GOOD.n, r: "1", u: "2025", d: true })],
    ["changes without deletions", encode({ v: 1, n: GOOD.n, r: "1", u: 1, d: false })],
    ["a further field", encode({ ...GOOD, tenant: "other" })],
    ["a prototype", base64url.encode('{"v":1,"n":"a/b","r":"1","d":false,"__proto__":{"s":"x"}}')],
  ])("P08: is refused: %s", (_, text) => {
    expect(decodeCursor(text)).toBeUndefined();
  });

  it("P08: never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.jsonValue().map(encode)), (text) => {
        const decoded = decodeCursor(text);
        expect(decoded === undefined || encodeCursor(decoded) === text).toBe(true);
      }),
    );
  });

  it("is accepted when all in it is as it must be", () => {
    expect(decodeCursor(encode(GOOD))).toEqual({
      after: { name: "com.example/weather", version: "1.0.0" },
      filters: { includeDeleted: false },
    });
  });
});
