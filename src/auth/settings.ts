import type { Config, ConfigProblem } from "../platform/config.ts";
import { isScope, MINIMAL_SCOPES } from "../identity/scopes.ts";

/** First path segments that the gateway uses. The sign-in page may have any other. */
const TAKEN = new Set([
  ..."api authorize connect consent dashboard device error forgot-password healthz invite mcp oauth r readyz".split(
    " ",
  ),
  ..."register reset-password sign-out sign-up token v0 version verify-email approve".split(" "),
]);

/** Problems of settings that are well-formed but do not fit each other or this gateway. */
export function settingsProblems({ SCOPES, LOGIN_PAGE }: Pick<Config, "SCOPES" | "LOGIN_PAGE">): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const scope of SCOPES ?? []) {
    if (!isScope(scope))
      problems.push({ name: "SCOPES", problem: `names ${JSON.stringify(scope)}, which is not a scope` });
  }
  for (const scope of SCOPES ? MINIMAL_SCOPES : []) {
    if (!SCOPES?.includes(scope))
      problems.push({ name: "SCOPES", problem: `must include ${scope}, without which no tool can be called` });
  }
  const segment = LOGIN_PAGE.split("/")[1] ?? "";
  if (segment === "" || TAKEN.has(segment))
    problems.push({ name: "LOGIN_PAGE", problem: "is a path that the gateway uses for something else" });
  return problems;
}
