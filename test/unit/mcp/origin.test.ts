import { describe, expect, it } from "vitest";
import { corsHeaders, isAllowedOrigin, preflightResponse } from "../../../src/mcp/origin.ts";

const OWN = "https://gateway.example.com";
const ALLOWED = ["https://app.example.com"];

describe("K23: a web origin", () => {
  it.each([
    null,
    OWN,
    "https://app.example.com",
    "http://localhost",
    "http://localhost:6274",
    "https://localhost:8443",
    "http://127.0.0.1:49152",
    "http://[::1]:3000",
  ])("K23: may call: %j", (origin) => {
    expect(isAllowedOrigin(origin, OWN, ALLOWED)).toBe(true);
  });

  it.each([
    "",
    "null",
    "*",
    "https://evil.example",
    "http://gateway.example.com",
    "https://gateway.example.com:8443",
    "https://gateway.example.com/",
    "https://gateway.example.com.evil.example",
    "https://evil-gateway.example.com",
    "https://GATEWAY.example.com",
    "https://sub.app.example.com",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "http://localhost.evil.example",
    "http://evil-localhost",
    "http://localhost:8787.evil.example",
    "http://localhost:",
    "http://localhost:123456",
    "http://localhost/",
    "http://localhost@evil.example",
    "http://user@localhost",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.2",
    "http://127x0x0x1",
    "http://0.0.0.0:3000",
    "http://[::1].evil.example",
    "http://[::]",
    "ws://localhost",
    "file://",
    "vscode-webview://abc",
    "chrome-extension://abcdef",
    "http://localhost\nhttps://evil.example",
  ])("K23: may not call: %j", (origin) => {
    expect(isAllowedOrigin(origin, OWN, ALLOWED)).toBe(false);
  });
});

describe("K23: the answer to a web page", () => {
  it("K23: names the one origin, never with credentials, and exposes what clients need", () => {
    const headers = corsHeaders("https://app.example.com");
    expect(headers["access-control-allow-origin"]).toBe("https://app.example.com");
    expect(headers).not.toHaveProperty("access-control-allow-credentials");
    expect(headers["vary"]).toBe("origin");
    const exposed = (headers["access-control-expose-headers"] ?? "").split(", ");
    expect(exposed).toEqual(expect.arrayContaining(["www-authenticate", "x-request-id", "retry-after"]));
  });

  it("K23: is the same as ever for a caller that is no web page", () => {
    expect(corsHeaders(null)).toEqual({});
  });
});

describe("K23: the answer to a preflight", () => {
  const answer = (requested: string | null) => preflightResponse("https://app.example.com", requested);
  const allowed = (requested: string | null) =>
    (answer(requested).headers.get("access-control-allow-headers") ?? "").split(", ");

  it("K23: allows POST from the origin and is kept ten minutes, per origin and headers", async () => {
    const preflight = answer(null);
    expect(preflight.status).toBe(204);
    expect(await preflight.text()).toBe("");
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      "access-control-allow-methods": "POST",
      "access-control-max-age": "600",
      vary: "origin, access-control-request-headers",
    });
    expect(preflight.headers.has("access-control-allow-credentials")).toBe(false);
  });

  it("K23: allows the headers of the protocol whether or not it is asked", () => {
    expect(allowed(null)).toEqual(
      expect.arrayContaining([
        "authorization",
        "x-api-key",
        "content-type",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
      ]),
    );
    expect(allowed("authorization")).toEqual(allowed(null));
  });

  it("K13: allows parameter headers by the names that are asked for", () => {
    expect(allowed("content-type, Mcp-Param-Region,mcp-param-user-id").slice(allowed(null).length)).toEqual([
      "mcp-param-region",
      "mcp-param-user-id",
    ]);
  });

  it.each([
    "x-evil",
    "cookie",
    "*",
    "mcp-param-",
    `mcp-param-${"a".repeat(65)}`,
    "mcp-param-a_b",
    "x-mcp-param-a",
    "mcp-param-a: b",
    "mcp-param-a\r\nset-cookie: x=1",
    "mcp-param-é",
  ])("K13: allows no other header: %j", (requested) => {
    expect(allowed(requested)).toEqual(allowed(null));
  });
});
