import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDefinition, PUBLISHER_META } from "../../../../src/registry/definition/definition.ts";
import { MAX_PROBLEMS } from "../../../../src/registry/definition/problem.ts";
import { serverDetail } from "../../../support/registry-shapes.ts";
import {
  COMPLETE,
  definitionOf,
  file,
  problemsOf,
  SMALLEST,
  withArgument,
  withBundle,
  withImage,
  withRemote,
  withVariable,
} from "./files.ts";

const meta = (value: unknown) => file({ _meta: { [PUBLISHER_META]: value } });
const META = "/_meta/io.modelcontextprotocol.registry~1publisher-provided";
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
const circle: Record<string, unknown> = {};
circle["self"] = circle;

describe("a server.json is bounded", () => {
  it.each<[string, unknown, string]>([
    ["in its bytes", file({ extra: "x".repeat(65_536) }), " too_large"],
    ["in its bytes of UTF-8", file({ extra: "€".repeat(22_000) }), " too_large"],
    ["in its values", file({ extra: Array.from({ length: 40_000 }, () => 0) }), "/extra/32763 too_large"],
    ["in its depth", meta({ a: nested(30) }), `${META}/a${"/0".repeat(29)} too_deep`],
    ["against circles", meta({ circle }), `${META}/circle${"/self".repeat(29)} too_deep`],
    ["to JSON", meta({ a: 1n }), `${META}/a not_json`],
    ["to numbers that JSON has", JSON.parse('{"a":1e999}'), "/a not_json"],
    ["to plain objects", meta({ a: new Date(0) }), `${META}/a not_json`],
  ])("%s", (_, input, problem) => {
    expect(problemsOf(input)).toEqual([problem]);
  });

  it("keeps away from prototypes, wherever such a name stands", () => {
    const hostile = (path: string) => JSON.parse(JSON.stringify(file({ _meta: {} })).replace("{}", path));
    expect(problemsOf(hostile(`{"${PUBLISHER_META}":{"__proto__":{"polluted":true}}}`))).toEqual([
      `${META}/__proto__ unsafe_key`,
    ]);
    expect(problemsOf(JSON.parse('{"__proto__":{"name":"com.example/ab","description":"a","version":"1"}}'))).toEqual([
      "/__proto__ unsafe_key",
      "/name required",
      "/description required",
      "/version required",
    ]);
    expect(problemsOf(Object.create(SMALLEST))).toEqual([" not_json"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("keeps names that only look dangerous as what they are", () => {
    const given = { constructor: { prototype: { a: 1 } }, hasOwnProperty: 1 };
    expect(definitionOf(meta(given))._meta?.[PUBLISHER_META]).toEqual(given);
  });

  it.each([
    ["a NUL", "\u0000"],
    ["an escape", "\u001b[31m"],
    ["a C1 control", "\u0085"],
    ["a right-to-left override", "\u202e"],
    ["an isolate", "\u2066"],
    ["a zero-width blank", "\u200b"],
    ["a line separator", "\u2028"],
    ["a byte order mark", "\ufeff"],
    ["tags", "\u{e0041}\u{e0042}"],
    ["half a character", "\ud83c"],
  ])("P06: and refuses %s in text, metadata and names of fields", (_, character) => {
    expect(problemsOf(file({ description: `a${character}b` }))).toEqual(["/description unsafe_character"]);
    expect(problemsOf(meta({ readme: `a${character}b` }))).toEqual([`${META}/readme unsafe_character`]);
    expect(problemsOf(meta({ [`a${character}`]: 1 }))).toEqual([`${META}/a${character} unsafe_character`]);
  });
});

/** Every place in a value, as a path. */
function pathsIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, child]) => pathsIn(child, [...path, key]))];
}

/** The value with something else at a place, or without that place. */
function changed(value: unknown, [key, ...rest]: readonly string[], to: unknown): unknown {
  if (key === undefined) return to;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = changed(copy[key], rest, to);
  return JSON.parse(JSON.stringify(copy));
}

const bases: readonly unknown[] = [
  COMPLETE,
  SMALLEST,
  withImage({}),
  withBundle({}),
  withRemote({ headers: [{ name: "X-Organization", choices: ["a", "b"], default: "a" }] }),
  withArgument({ type: "named", name: "--mode", value: "{a}", variables: { a: { default: "b" } } }),
  withVariable({ isRequired: true, isSecret: true }),
];
const texts = fc.constantFrom(
  "",
  "a",
  "1.0.0",
  "https://example.com/a",
  "https://{organization}.example.com/{x}",
  "http://localhost:{HOST}/",
  "{key}",
  "-y",
  "true",
  "8080",
  "oci",
  "mcpb",
  "sse",
  "__proto__",
  "constructor",
  "a\u202eb",
);
/** Undefined takes a field away. */
const replacement = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: texts },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string() },
);
const mutants = fc.constantFrom(...bases).chain((base) =>
  fc
    .array(fc.record({ path: fc.constantFrom(...pathsIn(base).slice(1)), to: replacement }), {
      minLength: 1,
      maxLength: 3,
    })
    .map((changes) => changes.reduce<unknown>((value, { path, to }) => changedIfThere(value, path, to), base)),
);

function changedIfThere(value: unknown, path: readonly string[], to: unknown): unknown {
  const parent = path
    .slice(0, -1)
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
  return typeof parent === "object" && parent !== null ? changed(value, path, to) : value;
}

/** Either problems, of which each says where and what, or a definition that stays as it is and that other registries would read. */
function expectGoodCheck(input: unknown, isMirrored = false): void {
  const checked = checkDefinition(input, { isMirrored });
  if ("problems" in checked) {
    expect(checked.problems.length).toBeGreaterThan(0);
    expect(checked.problems.length).toBeLessThanOrEqual(MAX_PROBLEMS);
    for (const { pointer, problem } of checked.problems) {
      expect(pointer).toMatch(/^(\/([^/~]|~[01])*)*$/su);
      expect(problem).toMatch(/^[A-Z].*\.$/s);
    }
    expect(checkDefinition(input, { isMirrored })).toEqual(checked);
    return;
  }
  expect(serverDetail.safeParse(checked.definition).error).toBeUndefined();
  expect(JSON.parse(JSON.stringify(checked.definition))).toEqual(checked.definition);
  const again = checkDefinition(checked.definition, { isMirrored });
  expect(JSON.stringify(again)).toBe(JSON.stringify({ ...checked, dropped: [] }));
  if (!isMirrored) expect(checked.remarks).toEqual([]);
}

describe("checking a server.json", () => {
  it("never throws, whatever JSON it is given", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.boolean(), expectGoodCheck));
  });

  it("never throws on what is no JSON", () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        expect(() => checkDefinition(input)).not.toThrow();
      }),
    );
  });

  it("finds problems or a normal form, in files with a few things changed", () => {
    fc.assert(fc.property(mutants, fc.boolean(), expectGoodCheck), { numRuns: 2_000 });
  });

  it("does not depend on the order of fields", () => {
    fc.assert(
      fc.property(mutants, (input) => {
        const turned = JSON.parse(JSON.stringify(input), (_, value: unknown) =>
          typeof value === "object" && value !== null && !Array.isArray(value)
            ? Object.fromEntries(Object.entries(value).toReversed())
            : value,
        );
        const [a, b] = [input, turned].map(problemsOf);
        expect(a?.toSorted()).toEqual(b?.toSorted());
      }),
    );
  });

  it("accepts each file that it starts from here", () => {
    expect(bases.map(problemsOf)).toEqual(bases.map(() => []));
  });
});
