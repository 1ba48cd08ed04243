import { describe, expect, it } from "vitest";
import { settingsProblems } from "../../../src/auth/settings.ts";

describe("R3 R23: the settings of the authorization server", () => {
  it.each([
    { SCOPES: undefined, LOGIN_PAGE: "/sign-in" },
    { SCOPES: ["mcp:tools"], LOGIN_PAGE: "/login" },
    { SCOPES: ["openid", "offline_access", "mcp:tools"], LOGIN_PAGE: "/login/here" },
  ])("may be %j", (settings) => {
    expect(settingsProblems(settings)).toEqual([]);
  });

  it("name a scope that does not exist, and one that is needed", () => {
    expect(settingsProblems({ SCOPES: ["openid", "mcp:everything"], LOGIN_PAGE: "/sign-in" })).toEqual([
      { name: "SCOPES", problem: 'names "mcp:everything", which is not a scope' },
      { name: "SCOPES", problem: "must include mcp:tools, without which no tool can be called" },
    ]);
  });

  it.each([
    "/",
    "/consent",
    "/error",
    "/mcp",
    "/mcp/x",
    "/api/auth",
    "/dashboard/apps",
    "/token",
    "/device",
    "/v0/servers",
  ])("cannot put the login page at %s", (path) => {
    expect(settingsProblems({ SCOPES: undefined, LOGIN_PAGE: path })).toEqual([
      expect.objectContaining({ name: "LOGIN_PAGE" }),
    ]);
  });
});
