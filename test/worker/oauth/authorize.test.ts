import { describe, expect, it } from "vitest";
import { formBrowser, pageOf, textOf } from "../../support/browsing.ts";
import { origin, request } from "../../support/gateway.ts";
import {
  AUTH,
  authorize,
  authorizePath,
  form,
  newClient,
  newPerson,
  postForm,
  REDIRECT,
  redeem,
  type Parameters,
} from "../../support/oauth.ts";

/** Where an authorization request leads without a session; never by a status that repeats a POST (A17). */
async function locationOf(path: string): Promise<URL> {
  const answer = await request(path);
  expect([302, 303]).toContain(answer.status);
  expect(answer.headers.get("cache-control")).toContain("no-store");
  return new URL(answer.headers.get("location") ?? "", origin);
}

/** The error that the client gets at its redirect URI, after the checks of RFC 6749 §4.1.2.1 and RFC 9207 on the rest. */
async function errorAtClient(changed: Parameters): Promise<string | null> {
  const location = await locationOf(authorizePath(await newClient(), changed));
  expect(`${location.origin}${location.pathname}`).toBe(REDIRECT);
  const answer = new URLSearchParams(location.hash === "" ? location.search : location.hash.slice(1));
  expect(answer.get("state")).toBe("test-state");
  expect(answer.get("iss")).toBe(origin);
  for (const name of ["code", "access_token", "id_token"]) expect(answer.has(name)).toBe(false);
  return answer.get("error");
}

describe("an authorization request that cannot be answered at the client", () => {
  it.each([
    ["an unregistered redirect URI", { redirect_uri: "https://evil.example.com/" }],
    ["another path", { redirect_uri: `${REDIRECT}/more` }],
    ["another query", { redirect_uri: `${REDIRECT}?x=1` }],
    ["another host that begins alike", { redirect_uri: "https://client.example.com.evil.example.com/callback" }],
    ["a user name before the host", { redirect_uri: "https://client.example.com@evil.example.com/callback" }],
    ["no redirect URI", { redirect_uri: undefined }],
  ])("A02: with %s ends at our error page", async (_what, changed) => {
    const location = await locationOf(authorizePath(await newClient(), changed));
    expect([location.origin, location.pathname]).toEqual([origin, "/error"]);
    expect(location.searchParams.get("error")).toBe("invalid_redirect");
    const page = pageOf(await formBrowser().open(`${location.pathname}${location.search}`));
    expect(page.status).toBe(400);
    expect(textOf(page.html)).toContain("The app did not register this redirect URI");
    expect(page.html).not.toContain("evil.example.com");
  });

  it("A02: a good redirect URI beside a bad parameter is no excuse for an unregistered one", async () => {
    const bad = {
      redirect_uri: "https://evil.example.com/",
      response_type: "token",
      request_uri: "https://evil.example.com/r",
    };
    const location = await locationOf(authorizePath(await newClient(), bad));
    expect(location.origin).toBe(origin);
  });

  it("an unknown client ends at our error page", async () => {
    const location = await locationOf(authorizePath("nobody"));
    expect(`${location.pathname} ${location.searchParams.get("error")}`).toBe("/error invalid_client");
  });
});

describe("an authorization request", () => {
  it("leads to the login with everything signed, and from there back", async () => {
    const location = await locationOf(authorizePath(await newClient()));
    expect([location.origin, location.pathname]).toEqual([origin, "/sign-in"]);
    expect(location.searchParams.get("sig")).not.toBeNull();
    const changed = new URLSearchParams(location.search);
    changed.set("redirect_uri", "https://evil.example.com/");
    expect(pageOf(await formBrowser().open(`/sign-in?${changed.toString()}`)).status).toBe(400);
  });

  it.each([
    [undefined, "invalid_request"],
    ["token", "unsupported_response_type"],
    ["code token", "unsupported_response_type"],
    ["id_token", "unsupported_response_type"],
    ["none", "unsupported_response_type"],
  ])("A04: with the response type %s is refused with %s", async (responseType, error) => {
    expect(await errorAtClient({ response_type: responseType })).toBe(error);
  });

  it("A05: of a public client without a challenge is refused", async () => {
    expect(await errorAtClient({ code_challenge: undefined, code_challenge_method: undefined })).toBe(
      "invalid_request",
    );
  });

  it.each([
    ["the method S512", { code_challenge_method: "S512" }],
    ["the method s256", { code_challenge_method: "s256" }],
    ["the method S256 with a space", { code_challenge_method: "S256 " }],
    ["the method plain", { code_challenge_method: "plain" }],
    ["a challenge without a method", { code_challenge_method: undefined }],
    ["a method without a challenge", { code_challenge: undefined }],
    ["a challenge of 42 characters", { code_challenge: "a".repeat(42) }],
    ["a challenge of 129 characters", { code_challenge: "a".repeat(129) }],
    ["a challenge outside base64url", { code_challenge: `${"a".repeat(42)}!` }],
  ])("A07: with %s is refused", async (_what, changed) => {
    expect(await errorAtClient(changed)).toBe("invalid_request");
  });

  it.each([
    ["unknown scopes only", "nonsense more"],
    ["500 scopes", Array.from({ length: 500 }, (_none, index) => `s${index}`).join(" ")],
    ["a quote in a scope", 'a"b'],
  ])("A08: with %s is refused", async (_what, scope) => {
    expect(await errorAtClient({ scope })).toBe("invalid_scope");
  });

  it.each([
    "https://evil.example.com/mcp",
    `${origin}/other`,
    `${origin}/mcp/token`,
    `${origin}/mcp/UPPER`,
    `${origin}/mcp/a/b`,
    `${origin}/mcp?x=1`,
    `${origin.replace("http:", "https:")}/mcp`,
  ])("A09: for the resource %s is refused as a wrong target", async (resource) => {
    expect(await errorAtClient({ resource })).toBe("invalid_target");
    expect(await errorAtClient({ resource: [`${origin}/mcp`, resource] })).toBe("invalid_target");
  });

  it.each([`${origin}/mcp#x`, "/mcp", "javascript:alert(1)"])(
    "A09: for %s, which is no resource, is refused",
    async (resource) => {
      expect(["invalid_target", "invalid_request"]).toContain(await errorAtClient({ resource }));
    },
  );

  it.each([
    ["request", "eyJ", "request_not_supported"],
    ["request_uri", "https://client.example.com/request", "request_uri_not_supported"],
  ])("A11: with %s is refused, and nothing is fetched", async (name, value, error) => {
    expect(await errorAtClient({ [name]: value })).toBe(error);
  });

  it.each(["-1", "abc"])("A12: with max_age=%s is refused", async (maxAge) => {
    expect(await errorAtClient({ max_age: maxAge })).toBe("invalid_request");
  });

  it("A12: that wants no page is refused while nobody is signed in, and while nobody has consented", async () => {
    const clientId = await newClient();
    expect(await errorAtClient({ prompt: "none" })).toBe("login_required");
    const person = await newPerson();
    const browser = formBrowser();
    await authorize(browser, authorizePath(await newClient()), person);
    const silent = await authorize(browser, authorizePath(clientId, { prompt: "none" }), person);
    expect(silent.searchParams.get("error")).toBe("consent_required");
    expect(silent.searchParams.get("state")).toBe("test-state");
  });

  it.each(["x".repeat(8_192), "a\r\nSet-Cookie: x=1", "snow\u2603man", "<script>alert(1)</script>", "a b&c=d;%20"])(
    "A14: gets its state back byte for byte: %j",
    async (state) => {
      const answer = await request(authorizePath(await newClient(), { state, prompt: "none" }));
      expect(answer.headers.get("set-cookie")).toBeNull();
      const location = new URL(answer.headers.get("location") ?? "");
      expect(location.searchParams.get("state")).toBe(state);
      const browser = formBrowser();
      const left = await authorize(browser, authorizePath(await newClient(), { state }), await newPerson());
      expect(left.searchParams.get("state")).toBe(state);
    },
  );

  it("A16: sent as a form passes the same checks", async () => {
    const clientId = await newClient();
    const query = new URL(authorizePath(clientId), origin).searchParams;
    const good = await postForm(`${AUTH}/oauth2/authorize`, Object.fromEntries(query));
    expect(good.headers.get("location")).toMatch(/^\/sign-in\?/);
    const bad = await postForm(`${AUTH}/oauth2/authorize`, {
      ...Object.fromEntries(query),
      redirect_uri: "https://evil.example.com/",
    });
    expect(bad.headers.get("location")).toBe(
      `${origin}/error?error=invalid_redirect&error_description=invalid+redirect+uri`,
    );
  });

  it.each(["client_id", "redirect_uri", "state"])("with %s twice is not answered at the client", async (name) => {
    const location = await locationOf(
      `${authorizePath(await newClient())}&${form({ [name]: "https://evil.example.com/" })}`,
    );
    expect(location.origin === origin || location.searchParams.get("error") === "invalid_request").toBe(true);
    expect(location.host).not.toBe("evil.example.com");
  });

  it("with a NUL character is refused before it reaches Postgres", async () => {
    expect((await request(authorizePath("a\u0000b"))).status).toBe(400);
  });
});

describe("loopback redirects", () => {
  it.each(["127.0.0.1", "localhost", "[::1]"])(
    "F02: to %s may use another port than the registered one",
    async (host) => {
      const clientId = await newClient({ redirect_uris: [`http://${host}:1111/callback`] });
      const redirectUri = `http://${host}:54321/callback`;
      const left = await authorize(
        formBrowser(),
        authorizePath(clientId, { redirect_uri: redirectUri }),
        await newPerson(),
      );
      expect(`${left.origin}${left.pathname}`).toBe(redirectUri);
      const code = left.searchParams.get("code") ?? "";
      expect((await redeem(clientId, code, { redirect_uri: redirectUri })).status).toBe(200);
    },
  );

  it.each(["http://127.0.0.1:1111/other", "http://localhost:1111/callback", "https://127.0.0.1:1111/callback"])(
    "F02: differ in nothing but the port: not %s",
    async (redirectUri) => {
      const clientId = await newClient({ redirect_uris: ["http://127.0.0.1:1111/callback"] });
      const location = await locationOf(authorizePath(clientId, { redirect_uri: redirectUri }));
      expect([location.origin, location.searchParams.get("error")]).toEqual([origin, "invalid_redirect"]);
    },
  );
});
