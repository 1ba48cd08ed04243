import { describe, expect, it } from "vitest";
import { nextPage } from "../../../../src/web/frame/next.ts";

describe("the page after a login", () => {
  it.each(["/dashboard", "/dashboard/apps", "/dashboard/sessions", "/invite/aB3-_x", "/device"])(
    "can be one of ours: %s",
    (path) => {
      expect(nextPage(path)).toBe(path);
    },
  );

  it.each([
    null,
    undefined,
    "",
    "/",
    "//evil.example.com",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "https:evil.example.com",
    "https://gateway.example.com/dashboard",
    "@evil.example.com",
    "/%09/evil.example.com",
    "/\t/evil.example.com",
    "/dashboard/\n",
    "/dashboard\n",
    "／／evil.example.com",
    "/／evil.example.com",
    "/dashboard/／evil.example.com",
    "/dashboard//evil.example.com",
    "/dashboard/..",
    "/dashboard/%2e%2e",
    "/dashboard?x=1",
    "/dashboard#x",
    "/dashboards",
    " /dashboard",
    "/a/dashboard",
    "/sign-out",
    "javascript:alert(1)",
    `/dashboard${"/a".repeat(10)}`,
  ])("F04: is nothing else: %j", (path) => {
    expect(nextPage(path)).toBeUndefined();
  });
});
