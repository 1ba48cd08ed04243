import { describe, expect, it } from "vitest";
import { problemResponse, problemShape, registryProblemShape, type Problem } from "../../../src/http/problem.ts";
import { AppError, ERROR_STATUS, type ErrorCode } from "../../../src/platform/errors.ts";

const CODES = Object.keys(ERROR_STATUS) as ErrorCode[];

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
      headers: { allow: "GET", "content-type": "text/html", "cache-control": "public" },
    });
    expect(answer.headers.get("allow")).toBe("GET");
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  it("is what the documentation says, with the members of the registry too", async () => {
    const problem = await problemResponse("not_found", "x", "req-1").json();
    expect(problemShape.safeParse(problem).success).toBe(true);
    const errors = [{ pointer: "/name", code: "required", problem: "is required" }];
    const members = { errors, error: "x" };
    const ofRegistry = await problemResponse("invalid_definition", "x", "req-1", { members }).json();
    expect(registryProblemShape.parse(ofRegistry)).toMatchObject(members);
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

describe("a refusal as a problem", () => {
  it("says the public text and nothing of the internal one", async () => {
    const error = new AppError("conflict", "That name is taken.", { internal: "row 17 of table x" });
    const body = await problemResponse(error.code, error.message, "req-1", error).text();
    expect(body).toContain("That name is taken.");
    expect(body).not.toContain("row 17");
    expect(body).not.toContain("errors.ts");
  });
});
