// Every answer of a JSON route is checked against its declaration: a status or a body that the documentation does not have fails the test.
import { jsonRoutes } from "../../src/app.ts";
import { refusalCodes } from "../../src/http/openapi.ts";
import { problemShape, registryProblemShape } from "../../src/http/problem.ts";
import type { Declaration } from "../../src/http/route.ts";

/** What any known address may answer beside what it declares: another method, a slash at the end, a browser's preflight. */
const EVERYWHERE = [308, 405];
const isRegistry = (path: string) => /^\/(v0|v0\.1|r\/[^/]+)\//.test(path);

const patterns = jsonRoutes.map((declared) => ({
  declared,
  pattern: new RegExp(`^${declared.path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  isExact: !declared.path.includes("{"),
}));

function declarationOf(method: string, path: string): Declaration | undefined {
  const fitting = patterns.filter(({ declared, pattern }) => declared.method === method && pattern.test(path));
  return (fitting.find(({ isExact }) => isExact) ?? fitting[0])?.declared;
}

/** Throws when an answer is not one that its route declares. */
export async function expectDeclared(request: { method: string; path: string }, answer: Response): Promise<void> {
  const path = request.path.split("?", 1)[0] ?? "";
  const isHead = request.method === "HEAD";
  const declared = declarationOf(isHead ? "get" : request.method.toLowerCase(), path);
  if (!declared || EVERYWHERE.includes(answer.status)) return;
  const place = `${request.method} ${declared.path} answered ${answer.status}`;
  const success = declared.answers.get(answer.status);
  if (success && !answer.headers.get("content-type")?.includes("problem")) {
    const text = isHead ? "" : await answer.clone().text();
    if (success.schema === null && text !== "") throw new Error(`${place} with a body`);
    if (success.schema === null || isHead) return;
    const parsed = success.schema.safeParse(JSON.parse(text));
    if (!parsed.success) throw new Error(`${place} with another body than declared: ${parsed.error.message} ${text}`);
    return;
  }
  if (isHead) return;
  const problem: unknown = await answer.clone().json();
  const shape = isRegistry(path) ? registryProblemShape : problemShape;
  const { code, status } = shape.parse(problem);
  if (status !== answer.status) throw new Error(`${place} but says ${status}`);
  if (!refusalCodes(declared).some((known) => known === code))
    throw new Error(`${place} ${code}, which is not declared`);
}
