// Accounts as people open and use them: the pages of the login, the mailbox, and what is stored.
import { sql } from "drizzle-orm";
import { unauthenticated } from "../../src/audit/event.ts";
import type { ChangedBy, KnownActor } from "../../src/audit/event.ts";
import { pageOf, type FormBrowser, type Page, type Send } from "./browsing.ts";
import { db, eventually, mailsTo, origin, request } from "./gateway.ts";
import { AUTH, PASSWORD } from "./oauth.ts";

/** An address that nobody has used. */
export const newEmail = (domain = "example.com") => `person-${crypto.randomUUID()}@${domain}`;

export const userOf = async (email: string): Promise<Record<string, unknown> | undefined> =>
  (await db.execute(sql`select * from "user" where email = ${email}`)).rows[0];

/** A person who changes their account now, for statements that are called without a request. */
export const changedBy = (userId: string): ChangedBy<KnownActor> => ({
  actor: { ...unauthenticated({ requestId: "request-1", ip: null, userAgent: null }), userId },
  now: Date.now(),
});

/** The tenants of which somebody is a member. */
export const tenantsOf = async (email: string): Promise<Record<string, unknown>[]> =>
  (
    await db.execute(sql`select o.id, m.role from "user" u join member m on m.user_id = u.id
      join organization o on o.id = m.organization_id where u.email = ${email}`)
  ).rows;

/** Fills in the sign-up page. */
export async function signUp(browser: FormBrowser, email: string, path = "/sign-up"): Promise<Page> {
  const page = pageOf(await browser.open(path));
  return pageOf(await browser.submit(page, "/sign-up", { name: "New person", email, password: PASSWORD }));
}

/** The path of the link in the newest mail to an address, as soon as there is one. */
export async function linkTo(email: string): Promise<string> {
  const mail = await eventually(async () => (await mailsTo(email))[0]);
  const { pathname, search } = new URL(mail.links[0] ?? "");
  return `${pathname}${search}`;
}

/** Opens the mailed link and clicks, or in another browser than the one that signed up chooses the password there. */
export async function confirmAddress(browser: FormBrowser, email: string, password = PASSWORD): Promise<Page> {
  const page = pageOf(await browser.open(await linkTo(email)));
  const fields = page.html.includes('name="password"') ? { password } : {};
  return pageOf(await browser.submit(page, "/verify-email", fields));
}

/** Fills in the login page. */
export async function signIn(browser: FormBrowser, email: string, password = PASSWORD): Promise<Page> {
  return pageOf(await browser.submit(pageOf(await browser.open("/sign-in")), "/sign-in", { email, password }));
}

/** Better Auth's own endpoint, past our pages. */
export const postJson = (
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { origin },
  gateway: Send = request,
): Promise<Response> =>
  gateway(`${AUTH}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
