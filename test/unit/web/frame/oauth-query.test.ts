import { describe, expect, it } from "vitest";
import { readOAuthQuery, restartPath } from "../../../../src/web/frame/oauth-query.ts";
import { SECRET, signedQuery } from "../scripted.ts";

const read = (raw: string, secrets: readonly string[] = [SECRET]) => readOAuthQuery(raw, secrets, Date.now());

describe("a page's query string", () => {
  it("is read as an authorization when its signature is right", async () => {
    expect(await read(await signedQuery({ prompt: "login consent" }))).toMatchObject({
      expired: false,
      clientId: "client-1",
      redirectUri: "https://app.example.com/callback",
      scopes: ["openid", "mcp:tools"],
      resources: ["https://gateway.example.com/mcp"],
      prompts: ["login", "consent"],
    });
  });

  it("may be written in any order and encoding", async () => {
    const entries = [...new URLSearchParams(await signedQuery({ state: "a b+c" }))];
    const reversed = entries.toReversed().map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    expect(await read(reversed.join("&"))).toMatchObject({ clientId: "client-1" });
  });

  it("is expired, not forged, when its time is over", async () => {
    expect(await read(await signedQuery({}, { seconds: -1 }))).toMatchObject({ expired: true });
  });

  it("is good under an older secret", async () => {
    const old = `${SECRET}-old`;
    expect(await read(await signedQuery({}, { secret: old }), [SECRET, old])).toMatchObject({ clientId: "client-1" });
    expect(await read(await signedQuery({}, { secret: old }))).toBe("forged");
  });

  it.each(["", "a=b", "client_id=x", "sig=x", "error=access_denied"])("is no authorization: %j", async (raw) => {
    expect(await read(raw)).toBeUndefined();
  });

  it.each([
    ["a changed parameter", (query: URLSearchParams) => query.set("redirect_uri", "https://evil.example.com/")],
    ["an added one", (query: URLSearchParams) => query.append("scope", "admin")],
    ["a removed one", (query: URLSearchParams) => query.delete("resource")],
    ["a later expiry", (query: URLSearchParams) => query.set("exp", "9999999999")],
    ["a second signature", (query: URLSearchParams) => query.append("sig", query.get("sig") ?? "")],
    ["an empty signature", (query: URLSearchParams) => query.set("sig", "")],
  ])("is forged with %s", async (_name, change) => {
    const query = new URLSearchParams(await signedQuery());
    change(query);
    expect(await read(query.toString())).toBe("forged");
  });

  it("is handed on without characters that a header cannot carry", async () => {
    const query = await read((await signedQuery({ state: "a\nb ü" })).replace("%0A", "\n").replace("%C3%BC", "ü"));
    expect(typeof query === "object" && query.raw).toMatch(/^[\x21-\x7e]+$/);
    expect(typeof query === "object" && new URLSearchParams(query.raw).get("state")).toBe("a\nb ü");
  });
});

describe("an authorization made again", () => {
  const restarted = async (prompt: string, satisfied: string[]) => {
    const query = await read(await signedQuery({ prompt, state: "x&y", ba_iat: "1", ba_pl: "s1", ba_param: "exp" }));
    if (typeof query !== "object") throw new Error("not read");
    return new URL(restartPath(query, satisfied), "https://gateway.example.com");
  };

  it("keeps the client's parameters and none of the signature's", async () => {
    const url = await restarted("login", []);
    expect(url.pathname).toBe("/api/auth/oauth2/authorize");
    expect([...url.searchParams.keys()].toSorted()).toEqual(
      ["client_id", "prompt", "redirect_uri", "resource", "response_type", "scope", "state"].toSorted(),
    );
    expect(url.searchParams.get("state")).toBe("x&y");
  });

  it("drops prompts that were satisfied, and only those", async () => {
    expect((await restarted("create login consent", ["create", "login"])).searchParams.get("prompt")).toBe("consent");
    expect((await restarted("create", ["create"])).searchParams.has("prompt")).toBe(false);
  });
});
