import { beforeAll, describe, expect, it } from "vitest";
import { formBrowser, leftFor, pageOf, type FormBrowser, type Send } from "../../support/browsing.ts";
import { callTool, config } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  gatewayWith,
  json,
  newClient,
  newPerson,
  redeem,
  refresh,
  signInAt,
  tokensFor,
  type Tokens,
} from "../../support/oauth.ts";

const [today = ""] = config.BETTER_AUTH_SECRETS;
const TOMORROW = "Wq3vT0s8ZkYb5mHcXr1LuJ7aNfE9dPgKiO2yRxCtV6w=";

const now = gatewayWith({});
const rotated = gatewayWith({ BETTER_AUTH_SECRETS: `${TOMORROW},${today}` });
const dropped = gatewayWith({ BETTER_AUTH_SECRETS: TOMORROW });

/** The same browser, at the gateway after a new deployment. */
function carriedOver(browser: FormBrowser, gateway: Send): FormBrowser {
  const next = formBrowser(gateway);
  for (const [name, value] of browser.cookies) next.cookies.set(name, value);
  return next;
}

// The signing keys are there before the secret is replaced, as in a gateway that has been in use.
beforeAll(async () => {
  await tokensFor(await newClient(), await newPerson());
});

describe("while a secret is being replaced", () => {
  it("S02: whoever is signed in stays so, and is a stranger once the old secret is dropped", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser(now)];
    await authorize(browser, authorizePath(clientId), person);
    const later = carriedOver(browser, rotated);
    expect("leftFor" in (await later.open(authorizePath(clientId)))).toBe(true);
    expect(pageOf(await later.open("/dashboard/apps")).html).toContain("Test client");
    const late = carriedOver(browser, dropped);
    expect(pageOf(await late.open(authorizePath(clientId))).url.pathname).toBe("/sign-in");
  });

  it("S02: a login that was begun before goes on to consent and code", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser(now)];
    const login = await browser.open(authorizePath(clientId));
    const later = carriedOver(browser, rotated);
    const consent = await signInAt(later, login, person);
    expect(pageOf(consent).url.pathname).toBe("/consent");
    const back = leftFor(await later.submit(pageOf(consent), "/consent", { decision: "allow" }));
    expect((await redeem(clientId, back.searchParams.get("code") ?? "", {}, rotated)).status).toBe(200);
  });

  it("S02: a consent page that was shown before can be answered, once", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser(now)];
    const consent = pageOf(await signInAt(browser, await browser.open(authorizePath(clientId)), person));
    const later = carriedOver(browser, rotated);
    const back = leftFor(await later.submit(consent, "/consent", { decision: "allow" }));
    expect(back.searchParams.get("code")).not.toBeNull();
    expect(pageOf(await later.submit(consent, "/consent", { decision: "allow" })).status).toBe(400);
  });

  it("S02: tokens go on: the signing keys open, and refresh tokens rotate", async () => {
    const [clientId, person, browser] = [await newClient(), await newPerson(), formBrowser(now)];
    const back = await authorize(browser, authorizePath(clientId), person);
    const tokens = await (await redeem(clientId, back.searchParams.get("code") ?? "", {}, now)).json<Tokens>();
    const renewed = await json(await refresh(clientId, tokens.refresh_token, {}, rotated));
    expect((await callTool("whoami", {}, { token: String(renewed["access_token"]) })).status).toBe(200);
  });

  it("S02: a cookie or query that no secret of the list has signed is worth nothing", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const foreign = gatewayWith({ BETTER_AUTH_SECRETS: "kD8s0VfQm2ZrYc7Tb4XhLw1NpJ6uGa9EeRi3OoKtUyM=" });
    const browser = formBrowser(foreign);
    const login = await browser.open(authorizePath(clientId));
    const elsewhere = carriedOver(browser, rotated);
    expect(pageOf(await signInAt(elsewhere, login, person)).status).toBe(403);
    expect(pageOf(await elsewhere.open(`${pageOf(login).url.pathname}${pageOf(login).url.search}`)).status).toBe(400);
  });
});
