// The forms by which people look after their accounts, and the links in the mails that these send.
import { pageOf, type FormBrowser, type Page } from "./browsing.ts";
import { eventually, mailsTo, origin } from "./gateway.ts";

export const NEW_PASSWORD = "another long passphrase";
export const RESET_SUBJECT = "Choose a new password";
export const ADDRESS_SUBJECT = "Confirm your new email address";

/** The path of the link in the newest mail with this subject, as soon as there is one. */
export async function linkIn(email: string, subject: string): Promise<string> {
  const mail = await eventually(async () => (await mailsTo(email)).find((one) => one.subject === subject));
  const { pathname, search } = new URL(mail.links[0] ?? "");
  return `${pathname}${search}`;
}

/** Fills in the page for lost passwords. */
export async function forgotPassword(browser: FormBrowser, email: string): Promise<Page> {
  const page = pageOf(await browser.open("/forgot-password"));
  return pageOf(await browser.submit(page, "/forgot-password", { email }));
}

/** Asks for a link and opens it. */
export async function openResetLink(browser: FormBrowser, email: string): Promise<Page> {
  await forgotPassword(browser, email);
  return pageOf(await browser.open(await linkIn(email, RESET_SUBJECT)));
}

/** Chooses a password at the page behind a link. */
export const choosePassword = async (browser: FormBrowser, page: Page, password = NEW_PASSWORD): Promise<Page> =>
  pageOf(await browser.submit(page, "/reset-password", { password }));

/** Sends one form of the account page. */
export async function submitAccountForm(
  browser: FormBrowser,
  form: "name" | "password" | "email" | "delete",
  fields: Readonly<Record<string, string>>,
): Promise<Page> {
  const page = pageOf(await browser.open("/dashboard/account"));
  return pageOf(await browser.submit(page, `/dashboard/account/${form}`, fields));
}

/** Whether the browser's session is good, asked without any trust in what it holds. */
export async function isSignedIn(browser: FormBrowser): Promise<boolean> {
  const answer = await browser.send("/api/auth/get-session");
  return (await answer.json()) !== null;
}

/** Better Auth's own endpoint in the name of a browser, past our pages: one request, so that the nth statement in it is always the same. */
export const postWithin = (browser: FormBrowser, path: string, body: unknown): Promise<Response> =>
  browser.send(`/api/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin },
    body: JSON.stringify(body),
  });
