import { NeonDbError } from "@neondatabase/serverless";
import { errors as upstashErrors } from "@upstash/redis";
import { DrizzleQueryError } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { AdmissionUnavailable } from "../../../src/access/admission/degraded.ts";
import { AppError, isUnavailable, Unavailable } from "../../../src/platform/errors.ts";
import { RedisUnavailable } from "../../../src/platform/redis/script.ts";

function driverError(sourceError?: Error, code?: string): NeonDbError {
  const error = new NeonDbError("Error connecting to database: x");
  if (sourceError) error.sourceError = sourceError;
  if (code !== undefined) error.code = code;
  return error;
}

describe("an expected failure", () => {
  it("keeps public and internal text apart", () => {
    const error = new AppError("conflict", "That name is taken.", { internal: "row 17 of table x" });
    expect(error.message).toBe("That name is taken.");
    expect(error.internal).toBe("row 17 of table x");
  });

  it("has no headers and no internal text unless given", () => {
    const error = new AppError("not_found", "Nothing here.");
    expect(error.headers).toEqual({});
    expect(error.internal).toBeUndefined();
    expect(error.members).toEqual({});
    expect(error).toBeInstanceOf(Error);
  });
});

describe("a store that does not answer", () => {
  const away = new Unavailable("Postgres did not answer.");

  it.each<[string, unknown]>([
    ["our own error", away],
    ["that of Redis", new RedisUnavailable("Redis did not answer.")],
    ["that of admission", new AdmissionUnavailable("proofs cannot be checked")],
    ["ours under Drizzle's", new DrizzleQueryError("select 1", [], away)],
    ["ours under the driver's", driverError(away)],
    ["ours under the driver's under Drizzle's", new DrizzleQueryError("select 1", [], driverError(away))],
    ["one three levels down", new Error("a", { cause: new Error("b", { cause: driverError(away) }) })],
  ])("is told by %s", (_what, error) => {
    expect(isUnavailable(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ["a unique violation", driverError(undefined, "23505")],
    ["a unique violation under Drizzle's", new DrizzleQueryError("insert", [], driverError(undefined, "23505"))],
    ["an error of the driver that we have not made", driverError()],
    ["an error of a library for Redis", new upstashErrors.UpstashError("ERR x")],
    ["a mistake of ours", new TypeError("x is not a function")],
    ["a text that sounds like it", new Error("Network connection lost.")],
    ["a name that sounds like it", Object.assign(new Error("x"), { name: "Unavailable" })],
    ["a time-out of something else", new DOMException("The operation timed out", "TimeoutError")],
    ["a refusal of ours", new AppError("not_found", "Nothing here.")],
    ["text", "Postgres did not answer."],
    ["nothing", undefined],
    ["null", null],
    ["an object that is no error", { name: "Unavailable" }],
  ])("is not what %s tells", (_what, error) => {
    expect(isUnavailable(error)).toBe(false);
  });
});
