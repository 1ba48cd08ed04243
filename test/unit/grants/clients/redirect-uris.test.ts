import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redirectUriProblem } from "../../../../src/grants/clients/redirect-uris.ts";

describe("a redirect URI that an administrator registers", () => {
  it.each([
    "https://app.example.com/callback",
    "https://app.example.com:8443/callback?tenant=1",
    "http://localhost:3000/callback",
    "http://localhost",
    "http://127.0.0.1:49152/cb",
    "http://[::1]:3000/cb",
    "com.example.app:/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "vscode://vscode.github-authentication/did-authenticate",
  ])("may be %s", (uri) => {
    expect(redirectUriProblem(uri)).toBeUndefined();
  });

  it.each([
    ["http://app.example.com/callback", "https"],
    ["https://localhost/callback", "loopback"],
    ["https://127.0.0.1/callback", "loopback"],
    ["https://[::1]/callback", "loopback"],
    ["https://[::ffff:127.0.0.1]/", "loopback"],
    ["http://localhost./", "https"],
    ["http://127.1/", "https"],
    ["http://0x7f.1/", "https"],
    ["http://2130706433/", "https"],
    ["http://localhost.evil.example/", "https"],
    ["http://localhost:80@evil.example/", "credentials"],
    ["https://user:password@app.example.com/", "credentials"],
    ["https://app.example.com/#fragment", "fragment"],
    ["https://app.example.com/#", "fragment"],
    ["https:evil.example", "https"],
    ["https:\\\\evil.example", "backslash"],
    ["javascript:alert(1)", "https"],
    ["JaVaScRiPt:alert(1)", "https"],
    [" javascript:alert(1)", "space"],
    ["java\tscript:alert(1)", "control"],
    ["data:text/html,x", "https"],
    ["foo:/callback", "https"],
    ["com.example.app://host", "https"],
    ["cursor://evil.example/oauth/", "https"],
    ["https://bücher.example/", "ASCII"],
    ["/callback", "absolute"],
    ["", "space"],
    [`https://app.example.com/${"x".repeat(2_000)}`, "longer"],
  ])("D02: D05: D07: may not be %s", (uri, problem) => {
    expect(redirectUriProblem(uri)).toContain(problem);
  });

  it("leads to https, to this machine or to an app, whatever is tried", () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string()), (uri) => {
        if (redirectUriProblem(uri) !== undefined) return;
        const { protocol, hostname } = new URL(uri);
        expect(
          protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(hostname) || /\./.test(protocol),
        ).toBe(true);
      }),
    );
  });
});
