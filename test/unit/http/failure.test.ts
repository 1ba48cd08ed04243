import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { HttpEnv } from "../../../src/platform/http.ts";
import { failureOf, reportFailure } from "../../../src/http/failure.ts";
import { AppError, Unavailable } from "../../../src/platform/errors.ts";
import { RedisUnavailable } from "../../../src/platform/redis/script.ts";

describe("what was thrown is answered", () => {
  it("as the refusal that it is, without a line for the log", () => {
    const headers = { "retry-after": "7" };
    const error = new AppError("rate_limited", "Try again in 7 s.", { headers, members: { tier: "key" } });
    expect(failureOf(error)).toEqual({
      code: "rate_limited",
      status: 429,
      text: "Try again in 7 s.",
      headers,
      members: { tier: "key" },
      line: undefined,
    });
  });

  it("with the internal text of a refusal in the log only", () => {
    const failure = failureOf(new AppError("unavailable", "Not now.", { internal: "the resolver is down" }));
    expect(failure.line).toEqual({ level: "warn", what: "refused", fields: { internal: "the resolver is down" } });
    expect(JSON.stringify({ ...failure, line: undefined })).not.toContain("resolver");
  });

  it.each([
    new Unavailable("Postgres did not answer."),
    new RedisUnavailable("x"),
    new Error("a", { cause: new Unavailable("b") }),
  ])("with 503 when a store is away: %s", (error) => {
    const { code, status, headers, text, line } = failureOf(error);
    expect([code, status, headers]).toEqual(["unavailable", 503, { "retry-after": "2" }]);
    expect(text).toMatch(/Try again/);
    expect(line).toMatchObject({ level: "error", what: "unavailable" });
  });

  it.each([new TypeError("x of undefined"), "text", undefined, null, { code: "not_found" }])(
    "with 500 and nothing of the cause when it is a bug: %s",
    (error) => {
      const { line, ...shown } = failureOf(error);
      expect(shown).toEqual({
        code: "internal",
        status: 500,
        text: "The gateway failed to answer. Report the request id to its operator.",
        headers: {},
        members: {},
      });
      expect(line).toMatchObject({ level: "error", what: "failed" });
    },
  );
});

describe("the line in the log", () => {
  async function linesOf(path: string, pattern: string): Promise<unknown[]> {
    const lines: unknown[] = [];
    const inner = new Hono<HttpEnv>();
    inner.get(pattern, () => {
      throw new Error("broken");
    });
    const app = new Hono<HttpEnv>();
    app.use(async (c, next) => {
      c.set("requestId", "req-1");
      await next();
    });
    app.use("/r/*", (_c, next) => next());
    app.route("/", inner);
    app.onError((error, c) => {
      const { status } = reportFailure((...line) => lines.push(line), "registry", c, error);
      return c.text("", status);
    });
    expect((await app.request(`https://gateway.example.com${path}`)).status).toBe(500);
    return lines;
  }

  it.each([
    ["/r/s3cret/v0.1/servers", "/r/:secret/v0.1/servers"],
    ["/invite/s3cret", "/invite/:token"],
    ["/things?token=s3cret", "/things"],
  ])("has the pattern of the route, not the address: %s", async (path, pattern) => {
    const lines = await linesOf(path, pattern);
    expect(lines).toEqual([
      [
        "error",
        "registry.failed",
        { requestId: "req-1", route: pattern, error: "Error", message: "broken", code: undefined },
      ],
    ]);
  });
});
