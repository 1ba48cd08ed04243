import { describe, expect, it } from "vitest";
import { checkDefinition, CURRENT_SCHEMA, PUBLISHER_META } from "../../../../src/registry/definition/definition.ts";
import { COMPLETE, definitionOf, file, problemsOf, SCHEMAS, SMALLEST } from "./files.ts";

const github = (more: object) =>
  file({ repository: { url: "https://github.com/example/weather", source: "github", ...more } });
const icon = (more: object) => file({ icons: [{ src: "https://example.com/icon.png", ...more }] });
const ofSchema = (date: string) => file({ $schema: `${SCHEMAS}/${date}/server.schema.json` });
const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);

describe("a server.json", () => {
  it("keeps everything that its schema knows, in one order", () => {
    const backwards = Object.fromEntries(Object.entries(COMPLETE).toReversed());
    expect(JSON.stringify(definitionOf(backwards))).toBe(JSON.stringify(definitionOf(COMPLETE)));
    expect(definitionOf(COMPLETE)).toEqual(COMPLETE);
  });

  it("gets the current schema when it names none", () => {
    expect(definitionOf(SMALLEST)).toEqual({ $schema: CURRENT_SCHEMA, ...SMALLEST });
  });

  it.each<[string, unknown]>([
    ["of 2025-09-16", ofSchema("2025-09-16")],
    ["of 2025-09-29", ofSchema("2025-09-29")],
    ["of 2025-10-11", ofSchema("2025-10-11")],
    ["of 2025-10-17", ofSchema("2025-10-17")],
    ["with a version of another kind", file({ version: "2025-11-01" })],
    ["with the longest version", file({ version: `1${"0".repeat(254)}` })],
    ["with the longest description", file({ description: "ü".repeat(100) })],
    ["with a description of 100 characters beyond the first plane", file({ description: "🌦".repeat(100) })],
    ["with joined characters", file({ title: "👩‍🔧 weather" })],
    ["with the longest name", file({ name: `com.example/${"a".repeat(188)}` })],
    ["without a dot in its namespace", file({ name: "internal/weather" })],
    ["P06: with markup, which is text", file({ title: '<img src=x onerror="alert(1)">' })],
    [
      "with a repository of its own forge",
      file({ repository: { url: "https://git.example.com/a/b", source: "gitea" } }),
    ],
    [
      "with a source that objects know",
      file({ repository: { url: "https://git.example.com/a/b", source: "constructor", subfolder: "" } }),
    ],
    ["with a nested group at GitLab", file({ repository: { url: "https://gitlab.com/a/b/c", source: "gitlab" } })],
    ["with an SVG icon, as a reference", icon({ mimeType: "image/svg+xml", src: "https://example.com/icon.svg" })],
    ["with a link into an intranet", file({ websiteUrl: "https://wiki.internal/weather" })],
    ["with empty lists", file({ icons: [], remotes: [], packages: [] })],
    ["with the largest metadata", file({ _meta: { [PUBLISHER_META]: { a: "x".repeat(4_096 - 8) } } })],
    ["at the deepest", file({ _meta: { [PUBLISHER_META]: { a: nested(29) } } })],
  ])("is accepted %s", (_, input) => {
    expect(problemsOf(input)).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["empty", {}],
    ["with an empty URL", { url: "", source: "" }],
  ])("has no repository when that is %s", (_, repository) => {
    expect(definitionOf(file({ repository }))).not.toHaveProperty("repository");
  });

  it("leaves out what it does not know, and says where", () => {
    const checked = checkDefinition(
      file({
        status: "active",
        "a/b~c": 1,
        icons: [{ src: "https://example.com/i.png", alt: "sun" }],
        _meta: { "io.modelcontextprotocol.registry/official": { isLatest: true }, [PUBLISHER_META]: { tool: "ci" } },
      }),
    );
    expect(checked).toEqual({
      definition: {
        $schema: CURRENT_SCHEMA,
        ...SMALLEST,
        icons: [{ src: "https://example.com/i.png" }],
        _meta: { [PUBLISHER_META]: { tool: "ci" } },
      },
      remarks: [],
      dropped: ["/status", "/a~1b~0c", "/icons/0/alt", "/_meta/io.modelcontextprotocol.registry~1official"],
    });
  });

  it.each<[string, unknown, ...string[]]>([
    ["null", null, " wrong_type"],
    ["text", "{}", " wrong_type"],
    ["a list", [SMALLEST], " wrong_type"],
    ["absent", undefined, " not_json"],
    ["empty", {}, "/name required", "/description required", "/version required"],
    ["with null for a list", file({ packages: null }), "/packages wrong_type"],
    ["with a number for text", file({ version: 1 }), "/version wrong_type"],
    ["with an object for a list", file({ remotes: {} }), "/remotes wrong_type"],
    ["with text for an object", file({ repository: "https://github.com/example/weather" }), "/repository wrong_type"],
    ["of 2025-07-09", ofSchema("2025-07-09"), "/$schema unsupported_schema"],
    ["of the draft", ofSchema("draft"), "/$schema unsupported_schema"],
    ["of a foreign schema", file({ $schema: "https://example.com/server.schema.json" }), "/$schema unsupported_schema"],
    ["with a name without namespace", file({ name: "weather" }), "/name form"],
    ["with two slashes", file({ name: "com.example/a/b" }), "/name form"],
    ["with a blank in its name", file({ name: "com.example/a b" }), "/name form"],
    ["with an underscore in its namespace", file({ name: "com_example/ab" }), "/name form"],
    ["with an empty label", file({ name: "com..example/ab" }), "/name form"],
    ["with a name ending in a dot", file({ name: "com.example/ab." }), "/name form"],
    ["with another alphabet in its name", file({ name: "com.exаmple/ab" }), "/name form"],
    ["with a name too short", file({ name: "ab" }), "/name too_short"],
    ["with a name too long", file({ name: `com.example/${"a".repeat(189)}` }), "/name too_long"],
    ["with an empty description", file({ description: "" }), "/description too_short"],
    ["with a description of blanks", file({ description: " ".repeat(5) }), "/description too_short"],
    ["with a description too long", file({ description: "x".repeat(101) }), "/description too_long"],
    ["with lines in its description", file({ description: "a\nb" }), "/description unsafe_character"],
    ["with an empty title", file({ title: "" }), "/title too_short"],
    ["with a title too long", file({ title: "x".repeat(101) }), "/title too_long"],
    ["with an empty version", file({ version: "" }), "/version too_short"],
    ["with a version too long", file({ version: "1".repeat(256) }), "/version too_long"],
    ["with the version latest", file({ version: "latest" }), "/version version_reserved"],
    ["with the version Latest", file({ version: "Latest" }), "/version version_reserved"],
    ["with a range", file({ version: "^1.2.3" }), "/version version_range"],
    ["with a wildcard", file({ version: "1.x" }), "/version version_range"],
    ["with a path as version", file({ version: "1/../2" }), "/version form"],
    ["P05: with a script as website", file({ websiteUrl: "javascript:alert(1)" }), "/websiteUrl url_not_https"],
    ["P05: with data as website", file({ websiteUrl: "data:text/html,hi" }), "/websiteUrl url_not_https"],
    ["P05: with a script behind a tab", file({ websiteUrl: "java\tscript:alert(1)" }), "/websiteUrl unsafe_character"],
    ["P05: with http as website", file({ websiteUrl: "http://example.com" }), "/websiteUrl url_not_https"],
    ["P05: with a repaired URL", file({ websiteUrl: "https:example.com" }), "/websiteUrl url_not_https"],
    ["P05: with backslashes", file({ websiteUrl: "https:\\\\example.com" }), "/websiteUrl form"],
    ["with a path as website", file({ websiteUrl: "/weather" }), "/websiteUrl url_form"],
    ["with a password in a URL", file({ websiteUrl: "https://a:b@example.com" }), "/websiteUrl url_credentials"],
    ["with a template as website", file({ websiteUrl: "https://{a}.example.com" }), "/websiteUrl url_form"],
    [
      "P05: with a script as repository",
      github({ url: "javascript:alert(1)//github.com/a/b" }),
      "/repository/url url_not_https",
    ],
    ["P05: with http as repository", github({ url: "http://github.com/a/b" }), "/repository/url url_not_https"],
    ["with a repository elsewhere", github({ url: "https://example.com/a/b" }), "/repository/url form"],
    ["with half a repository", github({ url: "https://github.com/a" }), "/repository/url form"],
    [
      "with a host that looks like GitHub",
      github({ url: "https://github.com.example.com/a/b" }),
      "/repository/url form",
    ],
    ["without a source", file({ repository: { url: "https://github.com/a/b" } }), "/repository/source required"],
    ["with a source of several words", github({ source: "git hub" }), "/repository/source form"],
    ["with a subfolder going up", github({ subfolder: "a/../../b" }), "/repository/subfolder form"],
    ["with an absolute subfolder", github({ subfolder: "/a" }), "/repository/subfolder form"],
    ["P05: with an icon over http", icon({ src: "http://example.com/i.png" }), "/icons/0/src url_not_https"],
    ["P05: with an icon as data", icon({ src: "data:image/svg+xml,%3Csvg%3E" }), "/icons/0/src url_not_https"],
    ["P05: with an inline SVG", icon({ src: "<svg onload=alert(1)>" }), "/icons/0/src form"],
    ["with an icon too long", icon({ src: `https://example.com/${"i".repeat(255)}` }), "/icons/0/src too_long"],
    ["without an icon's source", file({ icons: [{}] }), "/icons/0/src required"],
    ["with an icon that is text", file({ icons: ["https://example.com/i.png"] }), "/icons/0 wrong_type"],
    ["with an icon of HTML", icon({ mimeType: "text/html" }), "/icons/0/mimeType unknown_choice"],
    ["with a size without height", icon({ sizes: ["any", "48"] }), "/icons/0/sizes/1 form"],
    ["with one size as text", icon({ sizes: "48x48" }), "/icons/0/sizes wrong_type"],
    ["with an unknown theme", icon({ theme: "sepia" }), "/icons/0/theme unknown_choice"],
    ["with too many icons", file({ icons: Array.from({ length: 33 }, () => ({})) }), "/icons too_many"],
    ["with metadata that is a list", file({ _meta: [] }), "/_meta wrong_type"],
    [
      "with a publisher's list",
      file({ _meta: { [PUBLISHER_META]: [] } }),
      "/_meta/io.modelcontextprotocol.registry~1publisher-provided wrong_type",
    ],
    [
      "with a publisher's too many bytes",
      file({ _meta: { [PUBLISHER_META]: { a: "ü".repeat(2_045) } } }),
      "/_meta/io.modelcontextprotocol.registry~1publisher-provided too_large",
    ],
  ])("is refused %s", (_, input, ...problems) => {
    expect(problemsOf(input)).toEqual(problems);
  });

  it("is copied: what happens to the file afterwards does not reach the definition", () => {
    const provided = { tool: { name: "ci" } };
    const definition = definitionOf(file({ _meta: { [PUBLISHER_META]: provided } }));
    provided.tool.name = "changed";
    expect(definition._meta?.[PUBLISHER_META]).toEqual({ tool: { name: "ci" } });
  });

  it("is told all of its problems at once, in the order of the schema, each with what to do", () => {
    const checked = checkDefinition({ version: "*", description: "", name: "x/y/z", title: 3 });
    expect(checked).toEqual({
      problems: [
        { pointer: "/name", code: "form", problem: expect.stringContaining("namespace/server") },
        { pointer: "/title", code: "wrong_type", problem: 'This must be a string: write "3" in quotes.' },
        { pointer: "/description", code: "too_short", problem: "At least 1 character is required here." },
        {
          pointer: "/version",
          code: "version_range",
          problem: "This is a version range. Write one version, such as 1.0.0.",
        },
      ],
    });
  });

  it("is told fifty problems at most", () => {
    const packages = Array.from({ length: 30 }, () => ({}));
    expect(problemsOf(file({ packages }))).toHaveLength(50);
  });
});
