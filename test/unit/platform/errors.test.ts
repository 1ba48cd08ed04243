import { NeonDbError } from "@neondatabase/serverless";
import { errors as upstashErrors } from "@upstash/redis";
import { DrizzleQueryError } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  AppError,
  ERROR_STATUS,
  isUnavailable,
  problemResponse,
  type ErrorCode,
  type Problem,
} from "../../../src/platform/errors.ts";

const CODES = Object.keys(ERROR_STATUS) as ErrorCode[];

function sqlError(code?: string): NeonDbError {
  const error = new NeonDbError("refused");
  if (code !== undefined) error.code = code;
  return error;
}

const named = (name: string, message = "x", options?: ErrorOptions) =>
  Object.assign(new Error(message, options), { name });

describe("a problem (RFC 9457)", () => {
  it.each(CODES)("has every member that a caller may rely on: %s", async (code) => {
    const answer = problemResponse(code, "Do this instead.", "req-1");
    expect(answer.status).toBe(ERROR_STATUS[code]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { title, ...rest } = await answer.json<Problem>();
    expect(title).toMatch(/^[A-Z][a-z ]+$/);
    expect(rest).toEqual({
      type: "about:blank",
      status: ERROR_STATUS[code],
      code,
      detail: "Do this instead.",
      requestId: "req-1",
    });
  });

  it("has a title for each code of its own", async () => {
    const titles = await Promise.all(
      CODES.map(async (code) => (await problemResponse(code, "", "").json<Problem>()).title),
    );
    expect(new Set(titles).size).toBe(CODES.length);
    expect(titles[CODES.indexOf("not_found")]).toBe("Not found");
    expect(titles[CODES.indexOf("internal")]).toBe("Internal error");
  });

  it("carries the headers that belong to the refusal, but not another content type", () => {
    const answer = problemResponse("method_not_allowed", "Use GET.", "req-1", {
      allow: "GET",
      "content-type": "text/html",
      "cache-control": "public",
    });
    expect(answer.headers.get("allow")).toBe("GET");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("has a status that fits its code for every refusal of a credential", () => {
    expect(ERROR_STATUS).toMatchObject({
      unauthenticated: 401,
      invalid_credential: 401,
      insufficient_scope: 403,
      not_configured: 503,
      unavailable: 503,
    });
  });
});

describe("an expected failure", () => {
  it("keeps public and internal text apart", async () => {
    const error = new AppError("conflict", "That name is taken.", { internal: "row 17 of table x" });
    expect(error.message).toBe("That name is taken.");
    expect(error.internal).toBe("row 17 of table x");
    const body = await problemResponse(error.code, error.message, "req-1", { ...error.headers }).text();
    expect(body).not.toContain("row 17");
    expect(body).not.toContain("errors.ts");
  });

  it("has no headers and no internal text unless given", () => {
    const error = new AppError("not_found", "Nothing here.");
    expect(error.headers).toEqual({});
    expect(error.internal).toBeUndefined();
    expect(error).toBeInstanceOf(Error);
  });
});

describe("a store that does not answer", () => {
  it.each<[string, unknown]>([
    ["the Redis client's own error", new upstashErrors.UpstashError("ERR max daily request limit exceeded")],
    ["an answer of Redis that is no JSON", new upstashErrors.UpstashJSONParseError("<html>", {})],
    ["a Neon error without a code", sqlError()],
    ["a Neon error under Drizzle's", new DrizzleQueryError("select 1", [], sqlError())],
    ["a lost connection (08006)", sqlError("08006")],
    ["too many connections (53300)", sqlError("53300")],
    ["a shutdown (57P01)", sqlError("57P01")],
    ["a cancelled statement (57014)", new DrizzleQueryError("select 1", [], sqlError("57014"))],
    ["a serialization failure (40001)", sqlError("40001")],
    ["a time-out", new DOMException("The operation timed out", "TimeoutError")],
    ["a time-out under Drizzle's", new DrizzleQueryError("select 1", [], named("TimeoutError"))],
    ["an abort", named("AbortError")],
    ["a lost connection of the platform", new Error("Network connection lost.")],
    ["a failed fetch", new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") })],
    ["an internal error of the platform", new Error("internal error; reference = abc")],
    [
      "a store whose answer could not be read",
      named("UpstashError", "x", { cause: new SyntaxError("Unexpected token <") }),
    ],
    ["one three levels down", new Error("a", { cause: new Error("b", { cause: sqlError("08001") }) })],
  ])("is told by %s", (_what, error) => {
    expect(isUnavailable(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ["a unique violation (23505)", sqlError("23505")],
    ["a unique violation under Drizzle's", new DrizzleQueryError("insert", [], sqlError("23505"))],
    ["a syntax error (42601)", sqlError("42601")],
    ["a missing table (42P01)", sqlError("42P01")],
    ["a unique violation under an error of a store", named("UpstashError", "x", { cause: sqlError("23505") })],
    ["a unique violation under a lost connection", new Error("Network connection lost.", { cause: sqlError("23505") })],
    ["a denied privilege (42501)", sqlError("42501")],
    ["a mistake of ours", new TypeError("x is not a function")],
    ["a refusal of ours", new AppError("not_found", "Nothing here.")],
    ["text", "Network connection lost."],
    ["nothing", undefined],
    ["null", null],
    ["an object that is no error", { name: "TimeoutError" }],
  ])("is not what %s tells", (_what, error) => {
    expect(isUnavailable(error)).toBe(false);
  });

  it("decides by the database's code where there is one, whatever else the error says", () => {
    const error = Object.assign(new Error("fetch failed"), { name: "NeonDbError", code: "23505" });
    expect(isUnavailable(error)).toBe(false);
  });
});
