import { describe, expect, it } from "vitest";
import { contentSecurityPolicy } from "../../../../src/web/frame/headers.ts";
import {
  checkedTarget,
  formActionSource,
  nextPage,
  redirectReceiver,
  signInPath,
} from "../../../../src/web/frame/redirect.ts";

const ORIGIN = "https://gateway.example.com";

describe("the form-action source of a redirect URI", () => {
  it.each([
    ["https://app.example.com/callback?x=1", "https://app.example.com"],
    ["https://app.example.com:8443/callback", "https://app.example.com:8443"],
    ["http://127.0.0.1:49152/callback", "http://127.0.0.1:49152"],
    ["http://localhost/callback", "http://localhost"],
    ["http://[::1]:49152/callback", "http:"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor:"],
    ["com.example.app:/callback", "com.example.app:"],
    ["https://bücher.example/", "https://xn--bcher-kva.example"],
  ])("of %s is %s", (uri, source) => {
    expect(formActionSource(uri)).toBe(source);
  });

  it.each([
    "https://a;script-src *.example.com/",
    "https://a;script-src'unsafe-inline'.example.com/",
    "https://a,b.example.com/",
    "https://*/",
    "https://*.example.com/",
    "https://'none'/",
    "https://a.example.com;report-uri//x",
    "https://a.example.com\r\nx-evil: 1/",
    "x y://z",
    "x;y://z",
    "",
    "not a url",
    "//evil.example.com",
    "https://",
  ])("adds nothing else to the policy for %j", (uri) => {
    const source = formActionSource(uri);
    expect(source ?? "https:").toMatch(/^(https:|https:\/\/[a-z0-9.-]+)$/);
    const policy = contentSecurityPolicy("nonce", source);
    expect(policy.split(";").map((directive) => directive.trim().split(" ")[0])).toEqual([
      "default-src",
      "style-src",
      "img-src",
      "form-action",
      "base-uri",
      "frame-ancestors",
    ]);
  });

  it.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "blob:https://a.example.com/x",
    "file:///etc/passwd",
    "about:blank",
    "https://user:password@app.example.com/",
  ])("does not exist for %j", (uri) => {
    expect(formActionSource(uri)).toBeUndefined();
    expect(redirectReceiver(uri)).toBeUndefined();
    expect(checkedTarget(uri, ORIGIN, uri)).toBeUndefined();
  });
});

describe("the target of a redirect", () => {
  it.each(["/consent?a=b", `${ORIGIN}/error?error=x`, "?x=1", "consent"])("may be on this origin: %s", (target) => {
    expect(checkedTarget(target, ORIGIN)).toBe(new URL(target, ORIGIN).href);
  });

  it("is absolute, so that a path which looks like a host stays a path", () => {
    expect(checkedTarget(`${ORIGIN}//evil.example.com`, ORIGIN)).toBe(`${ORIGIN}//evil.example.com`);
    expect(checkedTarget("https:evil.example.com", ORIGIN)).toBe(`${ORIGIN}/evil.example.com`);
  });

  it.each([
    ["https://app.example.com/cb?tenant=1", "https://app.example.com/cb?tenant=1&code=abc&state=x"],
    ["http://127.0.0.1:49152/cb", "http://127.0.0.1:49152/cb?error=access_denied"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp/oauth/callback?code=abc"],
    ["com.example.app:/callback", "com.example.app:/callback?code=abc"],
  ])("may be the redirect URI %s with an answer", (redirectUri, target) => {
    expect(checkedTarget(target, ORIGIN, redirectUri)).toBe(target);
  });

  it.each([
    "//evil.example.com",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "/\t/evil.example.com",
    "https://gateway.example.com@evil.example.com/",
    "https://gateway.example.com.evil.example/",
    "http://gateway.example.com/",
    "https://gateway.example.com:8443/",
    "https://app.example.com/other",
    "https://app.example.com/cb/../other",
    "https://app.example.com:444/cb",
    "http://app.example.com/cb",
    "https://user@app.example.com/cb",
    "https://app.example.com.evil.example/cb",
    "javascript:alert(1)",
    "data:text/html,x",
  ])("is never %j", (target) => {
    expect(checkedTarget(target, ORIGIN, "https://app.example.com/cb")).toBeUndefined();
    expect(checkedTarget(target, ORIGIN)).toBeUndefined();
  });
});

describe("the next step of a confirmation link", () => {
  it.each([
    ["/sign-in?client_id=a&sig=b%2Bc%3D", "/sign-in", "/sign-in?client_id=a&sig=b%2Bc%3D"],
    ["/sign-in?client_id=a", "/login", "/login?client_id=a"],
    ["/login?client_id=a", "/login", "/login?client_id=a"],
    ["/sign-in", "/sign-in", "/sign-in"],
    [null, "/login", "/login"],
  ])("from %j with the login page %s is %s", (next, loginPage, path) => {
    expect(signInPath(next, loginPage)).toBe(path);
  });

  it.each([
    "https://evil.example.com/sign-in?x",
    "//evil.example.com/sign-in?x",
    "/\\evil.example.com",
    "/sign-in/../consent?x",
    "/sign-in@evil.example.com?x",
    "/sign-in%3Fx",
    "/sign-in?",
    "/sign-in?x#y",
    "/sign-in?x\r\nset-cookie: a=b",
    '/sign-in?"onmouseover=alert(1)',
    "/sign-in?<script>",
    "/sign-in?ü",
    "javascript:alert(1)//sign-in?x",
    "/consent?x",
    "",
  ])("is the bare login page for %j", (next) => {
    expect(signInPath(next, "/sign-in")).toBe("/sign-in");
  });
});

describe("the receiver of an authorization", () => {
  it.each([
    ["https://app.example.com/cb", { kind: "site", host: "app.example.com" }],
    ["http://127.0.0.1:49152/cb", { kind: "loopback", host: "127.0.0.1:49152" }],
    ["http://127.1.2.3/cb", { kind: "loopback", host: "127.1.2.3" }],
    ["http://[::1]:5/cb", { kind: "loopback", host: "[::1]:5" }],
    ["http://localhost:5/cb", { kind: "loopback", host: "localhost:5" }],
    ["https://localhost.evil.example/cb", { kind: "site", host: "localhost.evil.example" }],
    ["https://127.0.0.1.evil.example/cb", { kind: "site", host: "127.0.0.1.evil.example" }],
    ["https://gооgle.example/cb", { kind: "site", host: "xn--ggle-55da.example" }],
    ["cursor://x/y", { kind: "app", scheme: "cursor:" }],
  ])("behind %s is told by kind", (uri, receiver) => {
    expect(redirectReceiver(uri)).toEqual(receiver);
  });
});

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
