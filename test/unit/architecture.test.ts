import { existsSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMENT, importsOf, modulesBelow } from "../support/imports.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SRC = join(ROOT, "src");

/** Top first. A module sees what is below its rank and what is in its own folder. */
const RANKS: readonly (readonly string[])[] = [
  ["index"],
  ["worker"],
  ["app"],
  ["services"],
  ["mcp", "oauth", "registry-api", "api", "web"],
  ["http"],
  ["auth", "access"],
  ["accounts", "organizations", "grants", "keys", "registry", "upstreams"],
  ["limits"],
  ["identity"],
  ["audit"],
  ["platform"],
];
/**
 * The folders of a room, top first, when they are more than one: each sees what is below it, and those of one rank do not see each other.
 * The files beside them are the room's ground, or its top; nothing is both.
 */
const SUBROOMS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  access: [["admission", "verification"], ["credential"]],
  auth: [["authorization"], ["account"], ["providers", "storage"]],
  grants: [["clients", "device"]],
  registry: [["mirror", "publishing", "views"], ["namespaces", "reading"], ["definition"]],
  platform: [["outbound", "postgres", "redis"]],
  web: [["account", "consent", "keys", "organizations", "registry", "sign-in"], ["frame"]],
};
/** Written by Better Auth's generator; `package.test.ts` compares it with a fresh one. */
const GENERATED = ["identity/schema.ts"];
const MAX_LINES = 260;
const MAX_FILES = 20;

const sources = modulesBelow(SRC);
const files = [...sources.keys()];

const RE_EXPORT = /\bexport\s+(type\s+)?(\*|\{[^}]*\}\s*from\b)/;

interface Edge {
  from: string;
  to: string;
}

/** Imports between modules of `src`, each once. Other imports are packages, or files outside of `src`. */
const edges: Edge[] = [...sources].flatMap(([from, source]) =>
  [...new Set(importsOf(source))]
    .filter((target) => target.startsWith("."))
    .map((target) => ({ from, to: normalize(join(dirname(from), target)).replaceAll("\\", "/") })),
);

/** The folder under `src`, or the name of a module at its root. */
const unitOf = (file: string) => file.split("/")[0]?.replace(/\.tsx?$/, "") ?? "";
const rankOf = (file: string) => RANKS.findIndex((units) => units.includes(unitOf(file)));
const isWithin = ({ from, to }: Edge) => from.includes("/") && unitOf(from) === unitOf(to);
const show = ({ from, to }: Edge) => `${from} → ${to}`;

/** Imports that go up, or sideways into another folder. */
const violations = (graph: readonly Edge[]) =>
  graph.filter((edge) => !isWithin(edge) && rankOf(edge.from) >= rankOf(edge.to)).map(show);

/** The folder in a room, or undefined for a file beside those. */
const subroomOf = (file: string) => (file.split("/").length > 2 ? file.split("/")[1] : undefined);

/** Imports between the folders of a room that go up or sideways, and those of folders that nobody has given a rank. */
const subroomViolations = (graph: readonly Edge[], rooms = SUBROOMS) =>
  graph
    .filter((edge) => {
      const [from, to, ranks = []] = [subroomOf(edge.from), subroomOf(edge.to), rooms[unitOf(edge.from)]];
      if (!isWithin(edge) || from === undefined || to === undefined || from === to) return false;
      const [above, below] = [from, to].map((name) => ranks.findIndex((names) => names.includes(name)));
      return above === -1 || below === -1 || (above ?? 0) >= (below ?? 0);
    })
    .map(show);

/** A room as who walks through it sees it: its folders, and the files beside them. */
const asFolders = (graph: readonly Edge[]): Edge[] =>
  graph
    .filter(isWithin)
    .map(({ from, to }) => ({ from: from.split("/").slice(0, 2).join("/"), to: to.split("/").slice(0, 2).join("/") }))
    .filter(({ from, to }) => from !== to);

/** The modules that can be reached from each other, in groups of more than one. */
function cycles(graph: readonly Edge[]): string[][] {
  const next = Map.groupBy(graph, ({ from }) => from);
  const reach = (start: string) => {
    const seen = new Set<string>();
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const { to } of next.get(at) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        open.push(to);
      }
    }
    return seen;
  };
  const reached = new Map([...next.keys()].map((file) => [file, reach(file)]));
  const inCycle = [...reached.keys()].filter((file) => reached.get(file)?.has(file));
  const groups = Map.groupBy(inCycle, (file) =>
    inCycle.filter((other) => reached.get(file)?.has(other) && reached.get(other)?.has(file)).join(),
  );
  return [...groups.values()];
}

describe("the modules of src", () => {
  it("import downwards only, and between folders of one rank not at all", () => {
    const inside = edges.filter(({ to }) => !to.startsWith(".."));
    expect(violations(inside)).toEqual([]);
  });

  it("import downwards only between the folders of a room, too", () => {
    expect(subroomViolations(edges)).toEqual([]);
    expect(cycles(asFolders(edges))).toEqual([]);
  });

  it("are twenty to a folder at most", () => {
    const folders = Map.groupBy(files, (file) => dirname(file));
    const full = [...folders].filter(([, inside]) => inside.length > MAX_FILES).map(([folder]) => folder);
    expect(full).toEqual([]);
  });

  it("are in folders whose rank is known", () => {
    expect(files.filter((file) => rankOf(file) === -1)).toEqual([]);
  });

  it("import nothing of this repository from outside of src but its version", () => {
    expect(edges.filter(({ to }) => to.startsWith("..")).map(show)).toEqual(["platform/version.ts → ../package.json"]);
  });

  it("import modules that exist, by their whole name", () => {
    expect(edges.filter(({ to }) => !existsSync(join(SRC, to))).map(show)).toEqual([]);
  });

  it("do not import each other in circles, not even for types", () => {
    expect(cycles(edges)).toEqual([]);
  });

  it("have a reader's patience in view: at most 260 lines", () => {
    const long = [...sources]
      .map(([file, source]) => ({ file, lines: source.trimEnd().split("\n").length }))
      .filter(({ file, lines }) => lines > MAX_LINES && !GENERATED.includes(file));
    expect(long).toEqual([]);
  });

  it("are named after what they are about", () => {
    const vague = /(^|[/.-])(utils?|helpers?|lib|libs|common|misc|shared)([/.-]|$)/i;
    expect(files.filter((file) => vague.test(file))).toEqual([]);
  });

  it("R3: read no settings from the process", () => {
    const reading = /\bprocess\s*(\.|\?\.|\[)\s*["']?env\b|\bfrom\s*["']node:process["']/;
    expect([...sources].filter(([, source]) => reading.test(source)).map(([file]) => file)).toEqual([]);
  });

  it("R11: insert into the audit log in one place, and know who acts by one type", () => {
    const found = (pattern: RegExp) => [...sources].filter(([, source]) => pattern.test(source)).map(([file]) => file);
    expect(found(/insert\s+into\s+(audit_log|\$\{auditLog\})|insert\(auditLog\)/i)).toEqual(["audit/entry.ts"]);
    // Other types of this name add to that one.
    expect(found(/\binterface \w*(Actor|Trail)\b(?! extends (Tenant)?Actor\b)/)).toEqual(["audit/event.ts"]);
    expect(found(/\bcredentialKind\b/)).toEqual(["api/audit.ts", "audit/schema.ts"]);
  });

  it("are no barrels: an index stands at the root only, and nobody passes on what another exports", () => {
    expect(files.filter((file) => /(^|\/)index\.tsx?$/.test(file))).toEqual(["index.ts"]);
    const passing = [...sources].filter(([, source]) => RE_EXPORT.test(source.replace(COMMENT, "")));
    expect(passing.map(([file]) => file)).toEqual([]);
  });
});

describe("the tests above", () => {
  it("see every import: each way to write one", () => {
    const source = `
      import a from "./a.ts";
      import type { B } from './b.ts';
      import { c, type D } from
        "./c.ts";
      import * as e from "e";
      import "./f.ts";
      export { g } from "./g.ts";
      export * from "./h.ts";
      const i = await import("./i.ts");
      type J = import("./j.ts").J;
      // import x from "./comment.ts";
      /* import y from "./comment.ts"; */
      const url = "https://example.com/from";
    `;
    expect(importsOf(source)).toEqual(
      ["a.ts", "b.ts", "c.ts", "e", "f.ts", "g.ts", "h.ts", "i.ts", "j.ts"].map((name) =>
        name === "e" ? name : `./${name}`,
      ),
    );
  });

  it("see the modules and their imports", () => {
    expect(files.length).toBeGreaterThan(60);
    expect(edges.length).toBeGreaterThan(150);
    expect(edges.map(show)).toContain("services.ts → auth/auth.ts");
    expect(edges.map(show)).toContain("mcp/envelope.ts → mcp/refusal.ts");
    const alone = files.filter((file) => !edges.some(({ from, to }) => from === file || to === file));
    // Migrations are made from schemas, whether or not a module reads them.
    expect(alone.filter((file) => !file.endsWith("/schema.ts"))).toEqual([]);
  });

  it("find an import that goes up or sideways", () => {
    const wrong = [
      { from: "platform/config.ts", to: "identity/scopes.ts" },
      { from: "mcp/serve.ts", to: "oauth/metadata.ts" },
      { from: "keys/records.ts", to: "grants/record.ts" },
      { from: "audit/journal.ts", to: "identity/scopes.ts" },
      { from: "web/pages.tsx", to: "services.ts" },
      { from: "unknown/file.ts", to: "platform/crypto.ts" },
      { from: "app.ts", to: "worker.ts" },
    ];
    const right = [
      { from: "index.ts", to: "worker.ts" },
      { from: "app.ts", to: "mcp/endpoint.ts" },
      { from: "organizations/organizations.ts", to: "audit/entry.ts" },
      { from: "mcp/endpoint.ts", to: "mcp/serve.ts" },
      { from: "upstreams/builtin/echo.ts", to: "upstreams/servers.ts" },
      { from: "access/credential/authenticate.ts", to: "keys/records.ts" },
    ];
    expect(violations([...right, ...wrong])).toEqual(wrong.filter(({ from }) => !from.startsWith("unknown")).map(show));
  });

  it("find an import between the folders of a room that goes up or sideways, and a folder that is above and below a file", () => {
    const wrong = [
      { from: "web/keys/page.tsx", to: "web/consent/page.tsx" },
      { from: "web/frame/form.ts", to: "web/keys/form.ts" },
      { from: "registry/definition/size.ts", to: "registry/reading/entry.ts" },
      { from: "keys/legacy/key.ts", to: "keys/modern/key.ts" },
    ];
    const right = [
      { from: "web/keys/page.tsx", to: "web/frame/form.ts" },
      { from: "web/pages.tsx", to: "web/keys/page.tsx" },
      { from: "access/admission/admit.ts", to: "access/credential/memory.ts" },
      { from: "keys/legacy/key.ts", to: "keys/token.ts" },
    ];
    expect(subroomViolations([...right, ...wrong])).toEqual(wrong.map(show));
    const both = [
      { from: "api/registry/views.ts", to: "api/shapes.ts" },
      { from: "api/shapes.ts", to: "api/registry/proof.ts" },
    ];
    expect(cycles(asFolders(both))).toEqual([["api/registry", "api/shapes.ts"]]);
  });

  it("find what is passed on", () => {
    const passing = ['export * from "./a.ts"', 'export type {\n  B,\n} from "./b.ts"', 'export { c }from "./c.ts"'];
    const own = [
      "export type { Redis };",
      "export const from = { a: 1 };",
      'import { a } from "./a.ts";\nexport const b = a;',
    ];
    expect([...own, ...passing].filter((source) => RE_EXPORT.test(source))).toEqual(passing);
  });

  it("find a circle", () => {
    const circle = [
      { from: "a", to: "b" },
      { from: "b", to: "c" },
      { from: "c", to: "a" },
      { from: "c", to: "d" },
      { from: "e", to: "e" },
    ];
    expect(cycles(circle)).toEqual([["a", "b", "c"], ["e"]]);
    expect(cycles(circle.slice(1, 2))).toEqual([]);
  });
});
