import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEntries, type MirrorRules } from "../../../../src/registry/mirror/mirror.ts";
import { entryOf, OTHER_NOW, type OtherVersion } from "../../../support/other-registry.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");
const ALL: MirrorRules = { allow: ["*"], deny: [], reachable: [] };
const NAME = "com.example/weather";
const read = (entries: readonly unknown[], rules = ALL) => readEntries(entries, rules, NOW);
const readVersions = (...versions: OtherVersion[]) => read(versions.map(entryOf));
const latestOf = (...versions: OtherVersion[]) =>
  readVersions(...versions)
    .rows.filter(({ is_latest }) => is_latest)
    .map(({ version }) => version);
const of = (version: string, isLatest?: boolean): OtherVersion => ({
  name: NAME,
  version,
  ...(isLatest !== undefined && { isLatest }),
});

describe("entries of another registry", () => {
  it("are taken over with what the other registry says of them", () => {
    const { rows, leftOut } = readVersions({ ...of("1.2.0", true), status: "deprecated", statusMessage: "Use 2." });
    const at = new Date(OTHER_NOW).toISOString();
    expect(leftOut).toEqual([]);
    expect(rows).toEqual([
      {
        name: NAME,
        version: "1.2.0",
        skeleton: expect.any(String),
        definition: expect.objectContaining({ name: NAME, version: "1.2.0" }),
        status: "deprecated",
        status_message: "Use 2.",
        status_changed_at: at,
        published_at: at,
        is_latest: true,
        may_be_latest: true,
      },
    ]);
  });

  it.each<[string, unknown, string]>([
    ["no object", "x", "name"],
    ["null", null, "name"],
    ["nothing in it", {}, "name"],
    ["a name that is none", entryOf({ name: "weather", version: "1.0.0" }), "name"],
    ["a path for a name", entryOf({ name: "../x/y", version: "1.0.0" }), "name"],
    ["no version", entryOf({ ...of("1.0.0"), definition: { version: undefined } }), "required"],
    ["a range for a version", entryOf(of("^1.0.0")), "version_range"],
    ["a status that there is not", entryOf({ ...of("1.0.0"), status: "hidden" }), "status"],
    [
      "a script for a website",
      entryOf({ ...of("1.0.0"), definition: { websiteUrl: "javascript:alert(1)" } }),
      "url_not_https",
    ],
    ["text that hides", entryOf({ ...of("1.0.0"), definition: { description: "a\u202eb" } }), "unsafe_character"],
    ["100 KB of text", entryOf({ ...of("1.0.0"), definition: { x: "a".repeat(100_000) } }), "too_large"],
  ])("with %s are left out, and counted", (_what, entry, code) => {
    const { rows, leftOut } = read([entry, entryOf(of("9.0.0"))]);
    expect(leftOut.map((left) => left.code)).toEqual([code]);
    expect(rows.map(({ version }) => version)).toEqual(["9.0.0"]);
  });

  it("that nobody wants are left out without a word", () => {
    const entries = [entryOf(of("1.0.0")), entryOf({ name: "org.example/x", version: "1.0.0" })];
    const { rows, leftOut } = read(entries, { ...ALL, deny: ["com.example/*"] });
    expect([rows.map(({ name }) => name), leftOut]).toEqual([["org.example/x"], []]);
  });

  it("that are deleted mark what is here, though their definition is no good any more", () => {
    const { rows } = readVersions({ ...of("1.0.0"), status: "deleted", definition: { description: "" } });
    expect(rows).toMatchObject([{ status: "deleted", definition: null, may_be_latest: false }]);
  });

  it("that come twice on a page count once, as they came last", () => {
    const { rows } = readVersions(of("1.0.0"), { ...of("1.0.0"), status: "deprecated" });
    expect(rows).toMatchObject([{ version: "1.0.0", status: "deprecated" }]);
  });

  it.each<[string, OtherVersion[], string[]]>([
    ["the one that the registry names", [of("1.0.0", true), of("2.0.0", false)], ["1.0.0"]],
    ["the newest that it names, if it names two", [of("1.0.0", true), of("2.0.0", true)], ["2.0.0"]],
    ["none while it names one that is elsewhere", [of("1.0.0", false), of("2.0.0", false)], []],
    ["the newest when it says nothing", [of("9.0.0"), of("10.0.0"), of("10.0.0-rc.1")], ["10.0.0"]],
    ["no deleted one when it says nothing", [of("1.0.0"), { ...of("2.0.0"), status: "deleted" }], ["1.0.0"]],
  ])("have as the latest %s", (_what, versions, latest) => {
    expect(latestOf(...versions)).toEqual(latest);
  });

  it.each<[string, unknown]>([
    ["yet to come", "2099-01-01T00:00:00Z"],
    ["before there were computers", "0001-01-01T00:00:00Z"],
    ["no time at all", "yesterday"],
    ["a number", 5],
  ])("with a time that is %s have been published now", (_what, publishedAt) => {
    const entry = {
      ...(entryOf(of("1.0.0")) as object),
      _meta: { "io.modelcontextprotocol.registry/official": { publishedAt } },
    };
    expect(read([entry]).rows[0]?.published_at).toBe(new Date(NOW).toISOString());
  });

  it("keep a message without what would forge lines, and no longer than 500 characters", () => {
    const message = `a\u0000\nb\u202e${"c".repeat(600)}`;
    const kept = readVersions({ ...of("1.0.0"), statusMessage: message }).rows[0]?.status_message ?? "";
    expect(kept).toMatch(/^a {2}b c+$/);
    expect(kept.length).toBeLessThanOrEqual(500);
  });

  it("never make it fail, whatever JSON they are, and leave text that Postgres can keep", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.jsonValue(),
            fc.jsonValue().map((x) => ({ server: x, _meta: x })),
          ),
        ),
        (entries) => {
          const { rows } = read(entries);
          expect(JSON.stringify(rows)).not.toContain(String.raw`\u0000`);
        },
      ),
    );
  });
});
