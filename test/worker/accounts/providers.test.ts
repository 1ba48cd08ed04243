import { sql } from "drizzle-orm";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { entriesFrom, entriesOf, inShort } from "../../support/account-audit.ts";
import { postWithin } from "../../support/account-forms.ts";
import { userOf } from "../../support/accounts.ts";
import { formBrowser, newAddress, pageOf, type FormBrowser } from "../../support/browsing.ts";
import { db, newUser, origin } from "../../support/gateway.ts";
import { authorizePath, gatewayWith, json, newClient, newPerson, redeem, signInAt } from "../../support/oauth.ts";
import { outside, type Host } from "../../support/outside.ts";

const HOST = "login.example.org";
const ISSUER = `https://${HOST}`;
const CLIENT = {
  OIDC_ISSUER: ISSUER,
  OIDC_CLIENT_ID: "gateway",
  OIDC_CLIENT_SECRET: "a-secret-of-the-provider",
  OIDC_NAME: "Example login",
};
const { privateKey, publicKey } = await generateKeyPair("ES256");
const foreign = await generateKeyPair("ES256");
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] };

interface Claims {
  sub?: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  aud?: string;
  iss?: string;
  key?: CryptoKey;
}

/** A stand-in for an OpenID Connect provider at which one person signs in. */
function provider(claims: Claims): Host {
  return async (request) => {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/.well-known/openid-configuration":
        return Response.json({
          issuer: ISSUER,
          authorization_endpoint: `${ISSUER}/authorize`,
          token_endpoint: `${ISSUER}/token`,
          jwks_uri: `${ISSUER}/keys`,
          id_token_signing_alg_values_supported: ["ES256"],
        });
      case "/keys":
        return Response.json(jwks);
      case "/token": {
        const { key = privateKey, aud = "gateway", iss = ISSUER, sub = crypto.randomUUID(), ...rest } = claims;
        const form = new URLSearchParams(await request.text());
        if (form.get("code") !== "good" || !form.get("code_verifier"))
          return Response.json({ error: "invalid_grant" }, { status: 400 });
        const token = new SignJWT({ ...rest }).setProtectedHeader({ alg: "ES256", kid: "one" }).setSubject(sub);
        const idToken = await token.setAudience(aud).setIssuer(iss).setIssuedAt().setExpirationTime("5m").sign(key);
        return Response.json({ access_token: "opaque", token_type: "Bearer", expires_in: 60, id_token: idToken });
      }
      default:
        return new Response("not found", { status: 404 });
    }
  };
}

/** From the gateway's sign-in page to the provider: where the person is sent. */
async function toProvider(browser: FormBrowser, start: string): Promise<URL> {
  const page = pageOf(await browser.open(start));
  const sent = pageOf(await browser.submit(page, "/sign-in/provider", { provider: "oidc" }));
  return new URL(sent.headers.get("refresh")?.replace("0; url=", "") ?? "");
}

/** Signs in at the provider and comes back with its answer. */
async function signInThere(browser: FormBrowser, start: string, answer: Record<string, string> = { code: "good" }) {
  const url = await toProvider(browser, start);
  const back = new URLSearchParams({ state: url.searchParams.get("state") ?? "", ...answer });
  return browser.open(`${new URL(url.searchParams.get("redirect_uri") ?? "").pathname}?${back.toString()}`);
}

const newEmail = () => `person-${crypto.randomUUID()}@example.com`;
const withProvider = <T>(claims: Claims, work: (browser: FormBrowser) => Promise<T>, settings = {}) =>
  outside({ [HOST]: provider(claims) }, () => work(formBrowser(gatewayWith({ ...CLIENT, ...settings }))));

async function accountsOf(email: string): Promise<unknown[]> {
  const { rows } = await db.execute(sql`select a.provider_id as provider, u.email_verified as verified
    from "user" u join account a on a.user_id = u.id where u.email = ${email} order by 1`);
  return rows;
}

describe("signing in with the operator's OpenID Connect provider", () => {
  it("R23: opens an account for a verified address and goes on to the consent that was waiting", async () => {
    const email = newEmail();
    await withProvider({ email, email_verified: true, name: "Newcomer" }, async (browser) => {
      const clientId = await newClient();
      const start = authorizePath(clientId);
      const login = pageOf(await browser.open(start));
      expect(login.html).toContain("Continue with <bdi>Example login</bdi>");
      const url = await toProvider(browser, start);
      expect(Object.fromEntries(url.searchParams)).toMatchObject({
        client_id: "gateway",
        response_type: "code",
        code_challenge_method: "S256",
        scope: expect.stringContaining("openid"),
      });
      const consent = pageOf(await signInThere(browser, start));
      expect(consent.url.pathname).toBe("/consent");
      const visit = await browser.submit(consent, "/consent", { decision: "allow" });
      const code = "leftFor" in visit ? visit.leftFor.searchParams.get("code") : null;
      const tokens = await json(await redeem(clientId, code ?? "", {}, gatewayWith({})));
      expect(tokens["access_token"]).toBeTypeOf("string");
    });
    expect(await accountsOf(email)).toEqual([{ provider: "oidc", verified: true }]);
  });

  it("is the same account the next time, and one that was opened with a password when both know the address", async () => {
    const person = await newPerson();
    const sub = crypto.randomUUID();
    for (const _visit of [1, 2]) {
      await withProvider({ sub, email: person.email, email_verified: true }, async (browser) => {
        const home = pageOf(await signInThere(browser, "/sign-in"));
        expect(home.url.pathname).toBe("/");
        expect(home.html).toContain(person.email);
      });
    }
    expect(await accountsOf(person.email)).toEqual([
      { provider: "credential", verified: true },
      { provider: "oidc", verified: true },
    ]);
  });

  it("I13: does not get into an account whose address nobody has confirmed, nor give it the address", async () => {
    const { id, email } = await newUser();
    await db.execute(sql`update "user" set email_verified = false where id = ${id}`);
    await withProvider({ email, email_verified: true }, async (browser) => {
      const page = pageOf(await signInThere(browser, "/sign-in"));
      expect([page.url.pathname, page.url.searchParams.get("error")]).toEqual(["/error", "account_not_linked"]);
    });
    expect(await accountsOf(email)).toEqual([]);
  });

  it("I11: opens no account for an address that the provider has not verified, and links none to it", async () => {
    const email = newEmail();
    const person = await newPerson();
    for (const [address, accounts] of [
      [email, []],
      [person.email, [{ provider: "credential", verified: true }]],
    ] as const) {
      await withProvider({ email: address, email_verified: false }, async (browser) => {
        expect(pageOf(await signInThere(browser, "/sign-in")).url.pathname).toBe("/error");
        expect(pageOf(await browser.open("/")).html).not.toContain("Signed in as");
      });
      expect(await accountsOf(address)).toEqual(accounts);
    }
  });

  it.each<[string, Claims]>([
    ["for another client", { aud: "another" }],
    ["of another issuer", { iss: "https://other.example.org" }],
    ["signed by somebody else", { key: foreign.privateKey }],
    ["without an address", { email: undefined as never }],
  ])("C18: takes no ID token %s", async (_what, claims) => {
    const email = newEmail();
    await withProvider({ email, email_verified: true, ...claims }, async (browser) => {
      expect(pageOf(await signInThere(browser, "/sign-in")).url.pathname).toBe("/error");
    });
    expect(await accountsOf(email)).toEqual([]);
  });

  it("shows our own page when the person denied it there, the code is bad, or the answer belongs to another browser", async () => {
    const email = newEmail();
    await withProvider({ email, email_verified: true }, async (browser) => {
      for (const answer of [{ error: "access_denied" }, { code: "bad" }, { code: "good", state: "forged" }]) {
        const page = pageOf(await signInThere(browser, "/sign-in", answer));
        expect(page.url.pathname).toBe("/error");
        expect(page.html).toContain("Error code");
      }
      const url = await toProvider(browser, "/sign-in");
      const stranger = formBrowser(gatewayWith(CLIENT));
      const back = `/api/auth/callback/oidc?${new URLSearchParams({ code: "good", state: url.searchParams.get("state") ?? "" }).toString()}`;
      expect(pageOf(await stranger.open(back)).url.pathname).toBe("/error");
    });
    expect(await accountsOf(email)).toEqual([]);
  });

  it.each([
    ["invite", false],
    ["domains:other.example.com", false],
    ["domains:example.com", true],
  ])("R23: SIGN_UP=%s lets a newcomer in: %s", async (policy, isLetIn) => {
    const email = newEmail();
    await withProvider(
      { email, email_verified: true },
      async (browser) => {
        expect(pageOf(await signInThere(browser, "/sign-in")).url.pathname).toBe(isLetIn ? "/" : "/error");
      },
      { SIGN_UP: policy },
    );
    expect(await accountsOf(email)).toHaveLength(isLetIn ? 1 : 0);
  });

  it("R11: is in the audit log: the account, the link and its end, and each sign-in by its method", async () => {
    const [email, sub] = [newEmail(), crypto.randomUUID()];
    await withProvider({ sub, email, email_verified: true }, async (browser) => {
      await signInThere(browser, "/sign-in");
      const id = String((await userOf(email))?.["id"]);
      await db.execute(sql`insert into account (id, account_id, provider_id, user_id, created_at, updated_at)
        values (${`other-${id}`}, ${id}, 'github', ${id}, now(), now())`);
      const unlinked = await postWithin(browser, "/unlink-account", { accountId: `other-${id}` });
      expect(unlinked.status).toBe(200);
      const entries = await entriesOf(id, 4);
      expect(entries.map(inShort).toSorted()).toEqual([
        "account.created oidc",
        "account.provider_linked",
        "account.provider_unlinked",
        "account.signed_in oidc",
      ]);
      expect(entries.filter(({ event }) => /linked/.test(event)).map(({ target }) => target)).toEqual([
        "oidc",
        "github",
      ]);
      expect(JSON.stringify(entries)).not.toContain(sub);
    });
  });

  it("R11: is in the audit log when it is refused, in a word of ours whatever the answer says", async () => {
    const email = newEmail();
    const address = newAddress();
    const from = gatewayWith(CLIENT);
    const gateway: typeof from = (path, init = {}) =>
      from(path, {
        ...init,
        headers: { ...Object.fromEntries(new Headers(init.headers)), "cf-connecting-ip": address },
      });
    await outside({ [HOST]: provider({ email, email_verified: true }) }, async () => {
      for (const error of ["access_denied", "<script>", "another_word"])
        await signInThere(formBrowser(gateway), "/sign-in", { error });
    });
    const entries = await entriesFrom(address, 2);
    expect(entries.map(inShort)).toEqual([
      "account.sign_in_refused denied_at_provider oidc",
      "account.sign_in_refused provider_error oidc",
    ]);
    expect(entries.map(({ tenant_id: tenant }) => tenant)).toEqual([null, null]);
  });

  it("keeps other sign-ins open while the provider cannot be reached", async () => {
    await outside({ [HOST]: () => new Response("down", { status: 503 }) }, async () => {
      const browser = formBrowser(gatewayWith(CLIENT));
      const person = await newPerson();
      const login = await browser.open(authorizePath(await newClient()));
      expect(pageOf(await signInAt(browser, login, person)).url.pathname).toBe("/consent");
      const page = pageOf(await browser.open("/sign-in"));
      expect(pageOf(await browser.submit(page, "/sign-in/provider", { provider: "oidc" })).status).toBe(503);
    });
  });
});

describe("signing in with GitHub or Google", () => {
  it("R23: is offered where credentials are set, and leads there with a state and, at Google, a challenge", async () => {
    const settings = {
      GITHUB_CLIENT_ID: "github-id",
      GITHUB_CLIENT_SECRET: "github-secret",
      GOOGLE_CLIENT_ID: "google-id",
      GOOGLE_CLIENT_SECRET: "google-secret",
    };
    const browser = formBrowser(gatewayWith(settings));
    for (const [id, host] of [
      ["github", "github.com"],
      ["google", "accounts.google.com"],
    ] as const) {
      const page = pageOf(await browser.open("/sign-up"));
      const sent = pageOf(await browser.submit(page, "/sign-in/provider", { provider: id }));
      const url = new URL(sent.headers.get("refresh")?.replace("0; url=", "") ?? "");
      expect(url.host).toBe(host);
      expect(url.searchParams.get("redirect_uri")).toMatch(new RegExp(`/api/auth/callback/${id}$`));
      expect(url.searchParams.get("state")).toBeTruthy();
    }
    const token = await gatewayWith(settings)("/api/auth/sign-in/social", {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ provider: "google", idToken: { token: "a.b.c" } }),
    });
    expect([400, 401, 403, 404]).toContain(token.status);
    expect(await token.json()).toMatchObject({ code: expect.stringMatching(/^ID_TOKEN_NOT_SUPPORTED$/) });
    const none = pageOf(await formBrowser(gatewayWith({})).open("/sign-in"));
    expect(none.html).not.toContain("Continue with");
  });
});
