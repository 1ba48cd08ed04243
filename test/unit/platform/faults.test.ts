import { describe, expect, it } from "vitest";
import * as z from "zod";
import { check, type Place } from "../../../src/platform/faults.ts";

/** One sentence for each fault, in the order of the schema's issues. */
function faults(schema: z.ZodType, value: unknown, place: Place = "body"): string[] {
  const checked = check(schema, value, place);
  return "faults" in checked ? checked.faults : [];
}

const limit = z.coerce.number().int().min(1).max(100);

describe("a fault is one sentence with its place", () => {
  it.each<[string, z.ZodType, unknown, string]>([
    ["nothing where something must be", z.string(), undefined, '"it" is required.'],
    [
      "nothing where a part of an optional form must be",
      z.object({ a: z.string() }).partial().required(),
      {},
      '"it.a" is required.',
    ],
    ["null for text", z.string(), null, '"it" must be text.'],
    ["a number for text", z.string(), 7, '"it" must be text.'],
    ["text for a number", z.number(), "7", '"it" must be a number.'],
    ["text for true or false", z.boolean(), "yes", '"it" must be true or false.'],
    ["text for a list", z.array(z.string()), "a", '"it" must be a list.'],
    ["text for an object", z.object({}), "a", '"it" must be an object.'],
    ["text for a record", z.record(z.string(), z.string()), "a", '"it" must be an object.'],
    ["no number", limit, "x", '"it" must be a whole number between 1 and 100.'],
    ["a number with a fraction", limit, "1.5", '"it" must be a whole number between 1 and 100.'],
    ["too small a number", limit, "0", '"it" must be a whole number between 1 and 100.'],
    ["too great a number", limit, "101", '"it" must be a whole number between 1 and 100.'],
    ["too small a number without an upper bound", z.number().min(3), 1, '"it" must be a number of at least 3.'],
    ["too great a number without a lower bound", z.int().max(3), 4, '"it" must be a whole number of at most 3.'],
    ["no multiple", z.number().multipleOf(5), 3, '"it" must be a multiple of 5.'],
    ["too early a date", z.date().min(new Date(0)), new Date(-1), '"it" must be at least 0.'],
    ["empty text", z.string().min(1), "", '"it" must not be empty.'],
    ["too short a text", z.string().min(3), "a", '"it" must have at least 3 characters.'],
    ["too long a text", z.string().max(1), "ab", '"it" must have at most 1 character.'],
    ["an empty list", z.array(z.string()).min(1), [], '"it" must not be empty.'],
    ["too short a list", z.array(z.string()).min(2), ["a"], '"it" must have at least 2 items.'],
    ["too long a list", z.array(z.string()).max(1), ["a", "b"], '"it" must have at most 1 item.'],
    ["no UUID", z.uuid(), "x", '"it" must be a UUID.'],
    ["no URL", z.url(), "x", '"it" must be a URL.'],
    ["no email address", z.email(), "x", '"it" must be an email address.'],
    [
      "no time",
      z.iso.datetime({ offset: true }),
      "today",
      '"it" must be a time as in RFC 3339, such as "2026-01-31T12:00:00Z".',
    ],
    ["a number for a time", z.iso.datetime(), 7, '"it" must be a time as in RFC 3339, such as "2026-01-31T12:00:00Z".'],
    ["another form", z.string().regex(/^a/), "b", '"it" must be in another format.'],
    ["none of the choices", z.enum(["a", "b"]), "c", '"it" must be one of "a", "b".'],
    ["not the one choice", z.literal(true), false, '"it" must be true.'],
    ["another kind of item", z.array(z.string()), ["a", 1], '"it[1]" must be text.'],
    [
      "a fault far inside",
      z.object({ a: z.array(z.object({ b: limit })) }),
      { a: [{ b: 0 }] },
      '"it.a[0].b" must be a whole number between 1 and 100.',
    ],
    ["an unknown member", z.strictObject({}), { x: 1 }, '"it.x" is not a known field.'],
    [
      "none of several forms",
      z.union([z.string(), z.number().min(3)]),
      true,
      '"it" must be text, or must be a number of at least 3.',
    ],
    [
      "none of several objects",
      z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]),
      {},
      '"it" has none of the allowed forms.',
    ],
    [
      "no known kind",
      z.discriminatedUnion("kind", [z.object({ kind: z.literal("a") }), z.object({ kind: z.literal("b") })]),
      { kind: "c" },
      '"it.kind" must be one of "a", "b".',
    ],
    [
      "a name that is not allowed",
      z.record(z.string().max(1), z.number()),
      { ab: 1 },
      '"it.ab" has a name that is not allowed: it must have at most 1 character.',
    ],
    ["an item that is not allowed", z.map(z.string(), z.string()), new Map([["a", 1]]), '"it.a" must be text.'],
    ["a rule without words", z.string().refine(() => false), "a", '"it" is not valid.'],
    ["a rule with words", z.string().refine(() => false, "must be a slug"), "a", '"it" must be a slug.'],
    ["a form with words", z.string().regex(/^a/, "is not the id of a key"), "b", '"it" is not the id of a key.'],
    [
      "a rule of a transformation",
      z.string().transform((_text, context) => {
        context.addIssue("must be a namespace");
        return z.NEVER;
      }),
      "a",
      '"it" must be a namespace.',
    ],
  ])("%s", (_what, schema, value, sentence) => {
    expect(faults(z.object({ it: schema }), { it: value })).toEqual([sentence]);
  });

  it("of the whole body, query, path or headers", () => {
    expect(faults(z.object({}), [])).toEqual(["The body must be an object."]);
    expect(faults(z.object({}), undefined)).toEqual(["The body is required."]);
    expect(
      faults(
        z.object({}).refine(() => false, "must change something"),
        {},
      ),
    ).toEqual(["The body must change something."]);
    const odd: Place[] = ["query", "path", "header", "body"];
    expect(odd.flatMap((place) => faults(z.strictObject({}), { x: "1" }, place))).toEqual([
      '"x" is not a query parameter of this address.',
      '"x" is not a part of this address.',
      '"x" is not a header of this address.',
      '"x" is not a known field.',
    ]);
  });

  it("for each fault, and each unknown member", () => {
    const schema = z.strictObject({ name: z.string(), size: limit });
    expect(faults(schema, { size: 0, a: 1, b: 2 })).toEqual([
      '"name" is required.',
      '"size" must be a whole number between 1 and 100.',
      '"a" is not a known field.',
      '"b" is not a known field.',
    ]);
  });

  it("that stays short, whatever a caller calls a field", () => {
    const [sentence = ""] = faults(z.strictObject({}), { ["x".repeat(10_000)]: 1 });
    expect(sentence.length).toBeLessThan(120);
  });

  it("in no words of the library", () => {
    const schemas = [
      z.bigint(),
      z.date(),
      z.null(),
      z.undefined(),
      z.nan(),
      z.map(z.string(), z.string()),
      z.set(z.string()),
      z.never(),
    ];
    const sentences = schemas.flatMap((schema) => faults(z.object({ it: schema }), { it: "x" }));
    expect(sentences.join(" ")).not.toMatch(/expected|received|invalid|nonoptional/i);
    expect(sentences).toHaveLength(schemas.length);
  });
});

describe("what fits", () => {
  it("is handed on as the schema made it", () => {
    expect(check(z.object({ limit }), { limit: "7", other: 1 }, "query")).toEqual({ data: { limit: 7 } });
  });
});
