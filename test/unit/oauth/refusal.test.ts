import { describe, expect, it } from "vitest";
import { inOAuthTerms } from "../../../src/oauth/refusal.ts";

const refused = (body: unknown, status = 400, headers: Record<string, string> = {}) =>
  inOAuthTerms(new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers }));

describe("an answer of the framework in the terms of OAuth", () => {
  it.each([200, 201, 302])("is untouched when it is no refusal: %i", async (status) => {
    const answer = Response.json({ access_token: "t" }, { status });
    expect(await inOAuthTerms(answer)).toBe(answer);
    expect(await answer.json()).toEqual({ access_token: "t" });
  });

  it("keeps a refusal that is in them already, with its body unread", async () => {
    const answer = await refused({ error: "invalid_client", error_description: "No such client." }, 401);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({ error: "invalid_client", error_description: "No such client." });
  });

  it.each([
    "code verification failed",
    "code_verifier required because PKCE was used in authorization",
    "session no longer exists",
    "user not found",
  ])("calls an authorization that is over an invalid grant: %s", async (description) => {
    const answer = await refused({ error: "invalid_request", error_description: description }, 401);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: "invalid_grant",
      error_description: `This authorization is no longer valid: ${description}. Sign in again.`,
    });
  });

  it("says of a limit when to come back", async () => {
    const answer = await refused({ message: "Too many requests." }, 429, { "retry-after": "17" });
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("17");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({ error: "temporarily_unavailable", error_description: "Too many requests." });
  });

  it.each([
    ["", 415],
    ["<html>", 400],
    ["null", 400],
    ["[]", 404],
    ['{"error":7}', 400],
    ['{"message":{}}', 400],
  ])("calls anything else an invalid request: %j", async (body, status) => {
    const answer = await refused(body, status);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toEqual({ error: "invalid_request", error_description: "The request was refused." });
  });
});
