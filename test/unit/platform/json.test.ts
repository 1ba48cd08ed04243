import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isObject, packJson, parseJson, parseObject, unpackJson } from "../../../src/platform/json.ts";

const encoded = (text: string) => Buffer.from(text).toString("base64url");

describe("JSON text", () => {
  it("is parsed, and undefined is what is none", () => {
    expect([parseJson("null"), parseJson("[1]"), parseJson(""), parseJson("undefined"), parseJson("{")]).toEqual([
      null,
      [1],
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("holds an object or not", () => {
    expect(parseObject('{"a":1}')).toEqual({ a: 1 });
    for (const text of ["[]", "null", '"a"', "7", "", "{"]) expect(parseObject(text)).toBeUndefined();
    expect([{}, [], null, undefined, "a", 7].map(isObject)).toEqual([true, false, false, false, false, false]);
  });
});

describe("packed JSON", () => {
  it("is unpacked again, and survives in a URL as it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = packJson(value);
        expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(unpackJson(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 1 },
    );
  });

  it.each<[string, string]>([
    ["nothing", ""],
    ["padded", `${encoded('{"a":1}')}==`],
    ["of standard base64", Buffer.from('"???>>>"').toString("base64")],
    ["with white space", `${encoded('{"a":1}').slice(0, 4)} ${encoded('{"a":1}').slice(4)}`],
    ["with a line break at the end", `${encoded("[]")}\n`],
    ["of an impossible length", `${encoded("[1]")}A`],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]).toString("base64url")],
    ["with a byte order mark", encoded("\ufeff[]")],
    ["no JSON", encoded("{")],
    ["no base64", "é"],
  ])("is none when it is %s", (_what, text) => {
    expect(unpackJson(text)).toBeUndefined();
  });
});
