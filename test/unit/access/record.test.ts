import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headerOf, parseRecord, recordText } from "../../../src/access/record.ts";
import { KEY, quota, record, versioned } from "./credentials.ts";

/** Texts of what JSON and the header are made of, and of what they are not. */
const texts = fc.string({
  unit: fc.constantFrom("a", "0", "|", "{", "}", "[", '"', "\\", ":", ",", "\n", "\u0000", "✓", "dead", "\ud800"),
});

describe("R9: the text of a record", () => {
  it("R9: says the same when it is read again", () => {
    const held = versioned({ quota, addresses: [["0".repeat(32), "f".repeat(32)]], servers: [], name: 'a|b"\n✓' });
    expect(parseRecord(recordText(held))).toEqual(held);
  });

  it("R9: says the same for any name and any numbers", () => {
    const numbers = fc.maxSafeNat();
    fc.assert(
      fc.property(texts, numbers, numbers, numbers, (name, version, tenantEpoch, userEpoch) => {
        const held = { record: record({ name }), version, tenantEpoch, userEpoch };
        expect(parseRecord(recordText(held))).toEqual(held);
      }),
    );
  });

  it("R9: begins with what tells it from older and newer ones", () => {
    const held = versioned();
    expect(headerOf(held)).toBe("3|5|7|works||");
    expect(recordText(held).startsWith(headerOf(held))).toBe(true);
    expect(headerOf({ ...held, version: 31 }).startsWith(headerOf(held))).toBe(false);
  });

  it("J10: holds neither the key nor its hash", () => {
    const text = recordText(versioned());
    expect(text).not.toContain(KEY.hash);
    expect(text).not.toContain(KEY.key);
  });

  it.each([
    ["the mark of a change", "4|"],
    ["the mark of an end", "4|dead"],
    ["the mark of an unknown key", "0|unknown"],
    ["nothing", ""],
    ["a header alone", "3|5|7|works||"],
    ["a header before text", "3|5|7|works||dead"],
    ["a record cut off", recordText(versioned()).slice(0, -1)],
    ["a record with more behind it", `${recordText(versioned())}x`],
    ["a record without its header", JSON.stringify(record())],
    ["a record with a shorter header", `3|5|${JSON.stringify(record())}`],
    ["a negative version", `-3|5|7|works||${JSON.stringify(record())}`],
    ["a version that is no number", `x|5|7|works||${JSON.stringify(record())}`],
    ["a list", "3|5|7|works||[]"],
    ["null", "3|5|7|works||null"],
    ["an empty object", "3|5|7|works||{}"],
    ["a record without an answer", '3|5|7|works||{"id":"key-1"}'],
    ["a record whose answer is no answer", '3|5|7|works||{"id":"key-1","works":"true"}'],
    ["a record of the release before", '{"id":"key-1","enabled":true,"scopes":[]}'],
    ["HTML", "<html>"],
  ])("is none for %s: Postgres decides then", (_what, text) => {
    expect(parseRecord(text)).toBeUndefined();
  });

  it("is read from no text at all that is not ours", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseRecord(text)).toBeUndefined();
      }),
    );
  });
});
