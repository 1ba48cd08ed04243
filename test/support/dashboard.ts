// The dashboard as a person uses it: a browser that is signed in, and the page of connected apps.
import { signIn } from "./accounts.ts";
import { formBrowser, pageOf, type FormBrowser, type Page } from "./browsing.ts";
import { callTool } from "./gateway.ts";
import type { Person } from "./oauth.ts";

export const APPS = "/dashboard/apps";
export const DISCONNECT = "/dashboard/apps/disconnect";

/** A browser in which the person is signed in. */
export async function browserOf(person: Person): Promise<FormBrowser> {
  const browser = formBrowser();
  await signIn(browser, person.email);
  return browser;
}

export const appsPage = async (browser: FormBrowser): Promise<Page> => pageOf(await browser.open(APPS));

/** Presses the first Disconnect button of the page. */
export const disconnect = async (
  browser: FormBrowser,
  page: Page,
  changed: Record<string, string> = {},
): Promise<Page> => pageOf(await browser.submit(page, DISCONNECT, changed));

/** The status of a tool call with an access token: 200 while it works. */
export const whoami = async (token: string): Promise<number> => (await callTool("whoami", {}, { token })).status;
