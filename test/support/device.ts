// A device as it lets a person in elsewhere (RFC 8628): it starts, shows a code and polls; the person enters the code in a browser.
import { sql } from "drizzle-orm";
import { sha256 } from "../../src/platform/crypto.ts";
import { formBrowser, pageOf, type FormBrowser, type Page, type Send } from "./browsing.ts";
import { db, request } from "./gateway.ts";
import { AUTH, json, newClient, postForm, signInAt, type Parameters, type Person } from "./oauth.ts";

export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** A public client for devices; returns its id. */
export const newDeviceClient = (fields: Record<string, unknown> = {}) =>
  newClient({ redirect_uris: undefined, grant_types: [DEVICE_GRANT, "refresh_token"], ...fields });

export interface Started {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

export const askToStart = (clientId: string, parameters: Parameters = {}, gateway: Send = request) =>
  postForm(`${AUTH}/device/code`, { client_id: clientId, ...parameters }, gateway);

/** A device that has started; fails when it is refused. */
export async function start(clientId: string, parameters: Parameters = {}): Promise<Started> {
  const answer = await askToStart(clientId, parameters);
  if (answer.status !== 200) throw new Error(`the device was refused with ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

export const poll = (clientId: string, deviceCode: string, changed: Parameters = {}, gateway: Send = request) =>
  postForm(
    `${AUTH}/oauth2/token`,
    { grant_type: DEVICE_GRANT, client_id: clientId, device_code: deviceCode, ...changed },
    gateway,
  );

/** What a poll is refused with. */
export async function pollError(clientId: string, deviceCode: string, changed: Parameters = {}): Promise<unknown> {
  const answer = await poll(clientId, deviceCode, changed);
  return { status: answer.status, error: (await json(answer))["error"] };
}

/** As if the interval had gone by since the last poll. */
export async function waitInterval(deviceCode: string): Promise<void> {
  await db.execute(sql`update device_code set last_polled_at = null where device_code = ${await sha256(deviceCode)}`);
}

/** As if so many seconds had gone by since the code was redeemed. */
export async function ageRedemption(deviceCode: string, seconds: number): Promise<void> {
  await db.execute(sql`update device_code set redeemed_at = redeemed_at - make_interval(secs => ${seconds})
    where device_code = ${await sha256(deviceCode)}`);
}

/** Opens the page for codes, signing in if asked. */
export async function devicePage(browser: FormBrowser, person: Pick<Person, "email">, path = "/device"): Promise<Page> {
  const visit = await browser.open(path);
  const isLogin = "page" in visit && visit.page.url.pathname === "/sign-in";
  return pageOf(isLogin ? await signInAt(browser, visit, person) : visit);
}

/** Enters a code; the answer is the page of the device, or the one that asks again. */
export async function enterCode(browser: FormBrowser, person: Pick<Person, "email">, userCode: string): Promise<Page> {
  const page = await devicePage(browser, person);
  return pageOf(await browser.submit(page, "/device", { user_code: userCode }));
}

/** A person enters a code and decides. */
export async function decide(
  userCode: string,
  person: Pick<Person, "email">,
  decision: "approve" | "deny" = "approve",
  browser = formBrowser(),
  beforeDeciding: () => Promise<Record<string, string>> = async () => ({}),
): Promise<Page> {
  const page = await enterCode(browser, person, userCode);
  return pageOf(await browser.submit(page, "/device/decide", { decision, ...(await beforeDeciding()) }));
}
