// Organizations as their members use them: the page of an organization, its forms, and the links of its invitations.
import { sql } from "drizzle-orm";
import { expect } from "vitest";
import { hiddenFields, pageOf, type FormBrowser, type Page } from "./browsing.ts";
import { browserOf } from "./dashboard.ts";
import { db, eventually, mailsTo } from "./gateway.ts";
import { newPerson, type Person } from "./oauth.ts";

export const ORGANIZATIONS = "/dashboard/organizations";
export const OWN_FORM = { origin: "null", "sec-fetch-site": "same-origin" };

export type OrganizationAction = "role" | "remove" | "invite" | "cancel";

export interface Member {
  person: Person;
  browser: FormBrowser;
}

export async function newMember(): Promise<Member> {
  const person = await newPerson();
  return { person, browser: await browserOf(person) };
}

/** Makes an organization, with this member as its owner. */
export async function newOrganization(owner: Member, name = "Example organization"): Promise<string> {
  const page = pageOf(
    await owner.browser.submit(pageOf(await owner.browser.open(ORGANIZATIONS)), ORGANIZATIONS, { name }),
  );
  expect(page.url.pathname).toMatch(/^\/dashboard\/organizations\/org-/);
  return page.url.pathname.split("/").at(-1) ?? "";
}

export const organizationPage = async (browser: FormBrowser, organization: string): Promise<Page> =>
  pageOf(await browser.open(`${ORGANIZATIONS}/${organization}`));

const tokens = new WeakMap<FormBrowser, Record<OrganizationAction, string>>();

/** Form tokens that are good in this browser, from an organization of its own: what is refused is not refused for want of them. */
export async function formTokens(member: Member): Promise<Record<OrganizationAction, string>> {
  const known = tokens.get(member.browser);
  if (known) return known;
  const own = await newOrganization(member, "Where the tokens are from");
  const tokenIn = (page: Page, action: OrganizationAction) =>
    hiddenFields(page, `${ORGANIZATIONS}/${own}/${action}`)["form"] ?? "";
  const page = await organizationPage(member.browser, own);
  const invite = { form: tokenIn(page, "invite"), email: `${own}@example.com`, role: "member" };
  const invited = pageOf(await member.browser.post(`${ORGANIZATIONS}/${own}/invite`, invite, OWN_FORM));
  const found = {
    role: tokenIn(page, "role"),
    remove: tokenIn(page, "remove"),
    invite: invite.form,
    cancel: tokenIn(invited, "cancel"),
  };
  tokens.set(member.browser, found);
  return found;
}

/** Sends a form of an organization's page, whether or not the page would show it to this member. */
export async function act(
  member: Member,
  organization: string,
  action: OrganizationAction,
  fields: Readonly<Record<string, string>>,
): Promise<Page> {
  const form = (await formTokens(member))[action];
  return pageOf(await member.browser.post(`${ORGANIZATIONS}/${organization}/${action}`, { form, ...fields }, OWN_FORM));
}

/** Invites an address and answers the path in the mail. */
export async function invitedLink(
  owner: Member,
  organization: string,
  email: string,
  role = "member",
): Promise<string> {
  const before = new Set((await mailsTo(email)).flatMap(({ links }) => links));
  expect((await act(owner, organization, "invite", { email, role })).html).toContain("The invitation was sent.");
  const link = await eventually(async () =>
    (await mailsTo(email)).flatMap(({ links }) => links).find((one) => one.includes("/invite/") && !before.has(one)),
  );
  return new URL(link).pathname;
}

/** Opens an invitation and answers it. */
export async function answer(member: Member, link: string, decision = "accept"): Promise<Page> {
  return pageOf(await member.browser.submit(pageOf(await member.browser.open(link)), "/invite", { decision }));
}

/** Somebody who was invited and joined. */
export async function added(owner: Member, organization: string, role = "member"): Promise<Member> {
  const member = await newMember();
  await answer(member, await invitedLink(owner, organization, member.person.email, role));
  expect((await rolesIn(organization))[member.person.id]).toBe(role);
  return member;
}

/** The roles in an organization by user id. */
export async function rolesIn(organization: string): Promise<Record<string, string>> {
  const { rows } = await db.execute<{ user_id: string; role: string }>(
    sql`select user_id, role from member where organization_id = ${organization}`,
  );
  return Object.fromEntries(rows.map(({ user_id: id, role }) => [id, role]));
}
