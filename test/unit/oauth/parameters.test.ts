import { describe, expect, it } from "vitest";
import {
  authorizationParameters,
  deviceParameters,
  givenParameters,
  tokenParameters,
} from "../../../src/oauth/parameters.ts";

const ORIGIN = "https://gateway.example.com";
const CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

const DEFAULT = "mcp:tools offline_access";
const encoded = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

const authorize = (query: string, offered?: readonly string[]) =>
  new URLSearchParams(authorizationParameters(query, ORIGIN, offered));

describe("the resource of an authorization request", () => {
  it.each([
    ["", [`${ORIGIN}/mcp`]],
    ["resource=", [`${ORIGIN}/mcp`]],
    [`resource=${ORIGIN}`, [`${ORIGIN}/mcp`]],
    [`resource=${ORIGIN}/mcp/notes/`, [`${ORIGIN}/mcp/notes`]],
    [`resource=${ORIGIN}/&resource=${ORIGIN}/mcp/notes`, [`${ORIGIN}/mcp`, `${ORIGIN}/mcp/notes`]],
    ["resource=https://evil.example/mcp", ["https://evil.example/mcp"]],
    [`resource=${ORIGIN}/mcp%23part`, [`${ORIGIN}/mcp#part`]],
  ])("A09: of %j is %j", (query, resources) => {
    expect(authorize(query).getAll("resource")).toEqual(resources);
  });
});

describe("the scopes of an authorization request", () => {
  it.each([
    ["", undefined, ["mcp:tools offline_access"]],
    ["scope=", undefined, ["mcp:tools offline_access"]],
    ["scope=+%20", undefined, ["mcp:tools offline_access"]],
    ["", ["openid", "mcp:tools"], ["mcp:tools"]],
    ["scope=openid+mcp:tools", ["mcp:tools"], ["mcp:tools"]],
    ["scope=mcp:tools+nonsense+a%22b", undefined, ["mcp:tools"]],
    ["scope=mcp:tools++openid+mcp:tools", undefined, ["mcp:tools openid"]],
    ["scope=nonsense+a%22b", undefined, ['nonsense a"b']],
    ["scope=openid&scope=admin", undefined, ["openid", "admin"]],
  ])("A08: of %j where %j are offered are %j", (query, offered, scopes) => {
    expect(authorize(query, offered).getAll("scope")).toEqual(scopes);
  });
});

describe("a device authorization request", () => {
  const device = (text: string, offered?: readonly string[]) => deviceParameters(text, ORIGIN, offered);

  it("is for /mcp and the least when it names neither resource nor scope", () => {
    expect(device("client_id=c")).toBe(encoded({ client_id: "c", resource: `${ORIGIN}/mcp`, scope: DEFAULT }));
    expect(device("client_id=c", ["mcp:tools"])).toContain("scope=mcp%3Atools");
    expect(device(`client_id=c&resource=${ORIGIN}/mcp/notes/&scope=openid++openid`)).toBe(
      encoded({ client_id: "c", scope: "openid", resource: `${ORIGIN}/mcp/notes` }),
    );
  });

  it("A09: keeps what is not ours for Better Auth to refuse", () => {
    expect(device("client_id=c&resource=https://evil.example/mcp")).toContain(
      encodeURIComponent("https://evil.example/mcp"),
    );
  });

  it("cannot say who the person is", () => {
    expect(device("client_id=c&user_id=victim&user_id2=x")).not.toContain("user_id");
  });

  it.each([
    ["client_id=a&client_id=b", "invalid_request"],
    ["client_id=a&scope=x&scope=y", "invalid_request"],
    [`client_id=a&resource=${ORIGIN}&resource=${ORIGIN}/mcp/notes`, "invalid_target"],
  ])("is refused when it says two things: %j", (text, error) => {
    expect(device(text)).toMatchObject({ error });
  });
});

describe("the challenge of an authorization request", () => {
  it("A07: goes on when it is well-formed", () => {
    const parameters = authorize(`code_challenge=${CHALLENGE}&code_challenge_method=S256`);
    expect(parameters.get("code_challenge")).toBe(CHALLENGE);
    expect(parameters.get("code_challenge_method")).toBe("S256");
  });

  it.each([
    "",
    "x",
    CHALLENGE.slice(1),
    `${CHALLENGE}A`,
    `${CHALLENGE.slice(1)}=`,
    `${CHALLENGE.slice(1)}%2B`,
    `${CHALLENGE}%0A`,
  ])(
    "A07: loses its method when it is not, so that it is refused and not taken for a request without one: %j",
    (challenge) => {
      const parameters = authorize(`code_challenge=${challenge}&code_challenge_method=S256`);
      expect(parameters.has("code_challenge")).toBe(true);
      expect(parameters.has("code_challenge_method")).toBe(false);
    },
  );

  it.each(["plain", "s256", "S512", "S256 "])("A07: keeps a method that is refused: %j", (method) => {
    const query = new URLSearchParams({ code_challenge: CHALLENGE, code_challenge_method: method });
    expect(authorize(query.toString()).get("code_challenge_method")).toBe(method);
  });

  it("A05: is not made up", () => {
    expect(authorize("client_id=c").has("code_challenge")).toBe(false);
  });
});

describe("everything else of a request", () => {
  it("A14: goes on as it came", () => {
    const state = 'a"b<script>\r\nx: y é';
    const query = new URLSearchParams({ client_id: "c", redirect_uri: "https://app.example.com/cb?x=1", state });
    const parameters = authorize(query.toString());
    expect([parameters.get("client_id"), parameters.get("redirect_uri"), parameters.get("state")]).toEqual([
      "c",
      "https://app.example.com/cb?x=1",
      state,
    ]);
  });

  it("is not added to a token request that names none", () => {
    const form = "grant_type=authorization_code&code=a%20b+c";
    expect([...tokenParameters(form, ORIGIN)]).toEqual([...new URLSearchParams(form)]);
  });

  it("C13: has the resource of a token request in its canonical form, and adds none", () => {
    const parameters = tokenParameters(`code=x&resource=${ORIGIN}/&resource=https://evil.example`, ORIGIN);
    expect(parameters.getAll("resource")).toEqual([`${ORIGIN}/mcp`, "https://evil.example"]);
    expect(parameters.get("code")).toBe("x");
  });
});

describe("a parameter without a value", () => {
  it.each(["scope", "prompt", "max_age", "claims", "request", "dpop_jkt", "redirect_uri", "resource", "state"])(
    "is as good as absent at the authorization endpoint: %s",
    (name) => {
      const [given, absent] = [authorize(`client_id=c&${name}=`), authorize("client_id=c")];
      expect([...given]).toEqual([...absent]);
    },
  );

  it("is as good as absent at the other endpoints", () => {
    expect([...givenParameters("token=x&client_secret=&client_id=c&scope=")].map(([name]) => name)).toEqual([
      "token",
      "client_id",
    ]);
    expect(tokenParameters("code=x&resource=&scope=", ORIGIN).toString()).toBe("code=x");
    expect(deviceParameters("client_id=c&scope=&resource=", ORIGIN, undefined)).toBe(
      deviceParameters("client_id=c", ORIGIN, undefined),
    );
  });

  it("beside one with a value is no repetition", () => {
    expect(authorize("client_id=c&scope=&scope=mcp:tools").getAll("scope")).toEqual(["mcp:tools"]);
  });
});
