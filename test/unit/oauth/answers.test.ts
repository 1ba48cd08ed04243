import { describe, expect, it } from "vitest";
import { failureOf } from "../../../src/http/failure.ts";
import { cacheable, failureAnswer, oauthError, temporarilyUnavailable } from "../../../src/oauth/answers.ts";
import { AppError, Unavailable } from "../../../src/platform/errors.ts";

const failure = (error: unknown) => failureAnswer(failureOf(error));

describe("an error of an OAuth endpoint", () => {
  it("has the members of RFC 6749 §5.2 and is never cached", async () => {
    const answer = oauthError(400, "invalid_grant", "Sign in again.", { "x-more": "1", "cache-control": "public" });
    expect(answer.status).toBe(400);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-more")).toBe("1");
    expect(await answer.json()).toEqual({ error: "invalid_grant", error_description: "Sign in again." });
  });

  it("of a store that is away says to keep the tokens and come back", async () => {
    for (const answer of [temporarilyUnavailable(), failure(new Unavailable("Postgres did not answer."))]) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("2");
      expect(await answer.json()).toMatchObject({ error: "temporarily_unavailable" });
    }
  });

  it("of a mistake of ours shows nothing of it", async () => {
    const answer = failure(new TypeError("secret detail"));
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ error: "server_error" });
    expect(text).not.toContain("secret");
  });

  it("of an expected failure says what is public of it", async () => {
    const answer = failure(new AppError("too_large", "The request is larger than 9 bytes.", { internal: "secret" }));
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({
      error: "invalid_request",
      error_description: "The request is larger than 9 bytes.",
    });
  });
});

describe("a public document", () => {
  it.each([{ issuer: "x" }, '{"issuer":"x"}'])("is JSON that may be kept for five minutes", async (document) => {
    const answer = cacheable(document);
    expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toEqual({ issuer: "x" });
  });
});
