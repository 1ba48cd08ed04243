import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../../src");
/** Where the rules are, and the tables as Better Auth's generator writes them. */
const HOME = ["identity/standing.ts", "identity/schema.ts"];

const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g;

/** What a copy of a rule of `identity/standing.ts` looks like. */
const COPIES: Readonly<Record<string, RegExp>> = {
  "the ban": /\bbanned\b|\bban_?expires\b/i,
  "the id of a personal organization": /["'`]personal-/,
  "a role as a literal of SQL": /'(owner|admin|member|user)'/,
  "a comparison of a role": /\brole"?\]?\s*[!=]==?\s*["'`]/,
  "a comparison of a role in SQL": /\brole\s*(<>|!=|\bnot in\b|\bin\b\s*\(|\bis distinct from\s*['"]|=\s*')/i,
};

/** Words that look like ours and are not. */
const OTHERS: readonly (readonly [file: string, text: string])[] = [
  // What Better Auth calls the refusal, and what the audit log does.
  ["auth/account/sign-in-outcome.ts", 'BANNED_USER: "banned"'],
  ["auth/account/sign-in-outcome.ts", 'banned_user: "banned"'],
  // Events of the audit log, and Better Auth's routes that cause them.
  ["audit/event.ts", '"user.banned": "An administrator banned a person."'],
  ["auth/account/framework-acts.ts", '"/admin/ban-user", "user.banned"'],
  // GitHub's role in one of its organizations.
  ["registry/namespaces/github.ts", 'one["role"] === "admin"'],
];

const copiesIn = (file: string, source: string): string[] => {
  const own = OTHERS.filter(([name]) => name === file).reduce((text, [, other]) => text.replaceAll(other, ""), source);
  const code = own.replace(COMMENT, "");
  return Object.entries(COPIES)
    .filter(([, pattern]) => pattern.test(code))
    .map(([name]) => `${file}: ${name}`);
};

describe("who is active, manages or administers", () => {
  it("is said in identity/standing.ts and nowhere else", () => {
    const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => name.replaceAll("\\", "/"));
    expect(files).toEqual(expect.arrayContaining(HOME));
    const found = files
      .filter((file) => !HOME.includes(file))
      .flatMap((file) => copiesIn(file, readFileSync(join(SRC, file), "utf8")));
    expect(found).toEqual([]);
  });

  it.each(OTHERS)("has an exception for what %s really says", (file, text) => {
    expect(readFileSync(join(SRC, file), "utf8")).toContain(text);
  });

  it.each([
    'sql`select 1 from "user" u where u.banned is not true`',
    "sql`coalesce(u.ban_expires < now(), false)`",
    'user?.["banned"] === true',
    "user.banExpires < now",
    "sql`${tenantId} = 'personal-' || u.id`",
    "const tenantId = `personal-${userId}`;",
    "sql`o.id not like 'personal-%'`",
    "sql`m.role in ('owner', 'admin')`",
    "sql`m.role in (${OWNER}, ${ADMIN})`",
    "sql`role <> ${OWNER}`",
    "sql`exists (select 1 from \"user\" where role = 'admin')`",
    'if (organization.role !== "member") return;',
    'user?.["role"] !== "admin"',
  ])("is found when it is said again: %s", (source) => {
    expect(copiesIn("web/any.tsx", source)).not.toEqual([]);
  });

  it.each([
    "/** Enabled, not revoked, of somebody who is not banned. */",
    "// Personal ones are 'personal-' and the user's id.",
    '<p role="alert">',
    'if (code === "BANNED_USER") return suspended();',
    "sql`update member set role = ${role} from standing s`",
    'const { owner = "user" } = fields;',
  ])("is not seen in what says something else: %s", (source) => {
    expect(copiesIn("web/any.tsx", source)).toEqual([]);
  });
});
