import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { linkIn } from "../../support/account-forms.ts";
import { newEmail, signUp } from "../../support/accounts.ts";
import { formBrowser, pageOf, textOf, type Visit } from "../../support/browsing.ts";
import { db, eventually, mailsTo, request } from "../../support/gateway.ts";
import { gatewayWith, newPerson, signInAt } from "../../support/oauth.ts";
import {
  act,
  added,
  answer,
  formTokens,
  invitedLink,
  newMember,
  newOrganization,
  rolesIn,
  organizationPage,
  ORGANIZATIONS,
  type Member,
} from "../../support/organizations.ts";

let owner: Member;
let organization: string;
beforeEach(async () => {
  owner = await newMember();
  organization = await newOrganization(owner);
});

describe("an invitation", () => {
  it("brings the invited person into the organization, in the role that was offered, once", async () => {
    const member = await newMember();
    const link = await invitedLink(owner, organization, member.person.email, "admin");
    const shown = pageOf(await member.browser.open(link));
    expect(textOf(shown.html)).toMatch(/Organization Example organization Invited by .* Role Administrator/);
    const joined = await answer(member, link);
    expect(joined.url.pathname).toBe(`${ORGANIZATIONS}/${organization}`);
    expect(await rolesIn(organization)).toEqual({ [owner.person.id]: "owner", [member.person.id]: "admin" });
    expect(pageOf(await member.browser.open(link)).status).toBe(404);
  });

  it("waits through a login", async () => {
    const member = await newPerson();
    const link = await invitedLink(owner, organization, member.email);
    const browser = formBrowser();
    const shown = pageOf(await browser.open(link));
    const login = await browser.open(
      /href="(\/sign-in\?next=[^"]+)"/.exec(shown.html)?.[1]?.replaceAll("&amp;", "&") ?? "",
    );
    const back = pageOf(await signInAt(browser, login, member));
    expect(back.url.pathname).toBe(link);
    expect(back.html).toContain("Join organization");
  });

  it("I11: is for the person whose confirmed address was invited, and nobody else", async () => {
    const [member, stranger] = [await newMember(), await newMember()];
    const link = await invitedLink(owner, organization, member.person.email);
    expect((await answer(stranger, link)).status).toBe(403);
    await db.execute(sql`update "user" set email_verified = false where id = ${member.person.id}`);
    expect((await answer(member, link)).status).toBe(403);
    expect(await rolesIn(organization)).toEqual({ [owner.person.id]: "owner" });
    await db.execute(sql`update "user" set email_verified = true where id = ${member.person.id}`);
    expect((await answer(member, link, "decline")).url.pathname).toContain("/dashboard");
    expect(pageOf(await member.browser.open(link)).status).toBe(404);
  });

  it("ends when it is cancelled, replaced, or a week old", async () => {
    const member = await newMember();
    const first = await invitedLink(owner, organization, member.person.email);
    const second = await invitedLink(owner, organization, member.person.email);
    expect(pageOf(await member.browser.open(first)).status).toBe(404);
    const id =
      /name="invitation" value="([^"]+)"/.exec((await organizationPage(owner.browser, organization)).html)?.[1] ?? "";
    expect((await act(owner, organization, "cancel", { invitation: id })).html).toContain(
      "The invitation was cancelled.",
    );
    expect(pageOf(await member.browser.open(second)).status).toBe(404);
    const third = await invitedLink(owner, organization, member.person.email);
    await db.execute(
      sql`update invitation set expires_at = now() - interval '1 second' where organization_id = ${organization}`,
    );
    expect(pageOf(await member.browser.open(third)).status).toBe(404);
  });

  it("I02: looks the same for an address without an account, and mails nobody more than three times a day", async () => {
    const email = `nobody-${crypto.randomUUID()}@example.com`;
    for (let i = 0; i < 5; i++)
      expect((await act(owner, organization, "invite", { email, role: "member" })).html).toContain(
        "The invitation was sent.",
      );
    await eventually(async () => ((await mailsTo(email)).length >= 3 ? true : undefined));
    const mails = await mailsTo(email);
    expect(mails).toHaveLength(3);
    // Where there was no more mail, the link of the last one stays good.
    const opened = await Promise.all(
      mails.map(async ({ links }) => (await request(new URL(links[0] ?? "").pathname)).status),
    );
    expect(opened.filter((status) => status === 200)).toHaveLength(1);
  });

  it("is not sent more than twenty times a day by one organization", async () => {
    await db.execute(sql`insert into invitation (id, organization_id, email, role, status, expires_at, inviter_id)
      select ${organization} || n, ${organization}, 'x' || n || '@example.com', 'member', 'canceled', now(), ${owner.person.id} from generate_series(1, 20) n`);
    const refused = await act(owner, organization, "invite", { email: "one-more@example.com", role: "member" });
    expect(refused.status).toBe(429);
  });

  it("is mailed and sent no more often when they are sent at the same moment", async () => {
    const [email, others] = [`many-${crypto.randomUUID()}@example.com`, [await newMember(), await newMember()]];
    const senders = await Promise.all(
      others.map(async (member) => {
        await formTokens(member);
        return { member, own: await newOrganization(member) };
      }),
    );
    const [{ member, own } = { member: owner, own: organization }] = senders;
    await Promise.all(
      senders.flatMap((sender) =>
        Array.from({ length: 4 }, () => act(sender.member, sender.own, "invite", { email, role: "member" })),
      ),
    );
    const asked = await Promise.all(
      Array.from({ length: 20 }, (_, n) => act(member, own, "invite", { email: `${n}-${email}`, role: "member" })),
    );
    expect(asked.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    const { rows } = await db.execute(sql`select count(*)::int as n from invitation where organization_id = ${own}`);
    expect(rows).toEqual([{ n: 20 }]);
    await eventually(async () => ((await mailsTo(email)).length >= 3 ? true : undefined));
    expect(await mailsTo(email)).toHaveLength(3);
  });

  it("ends with the role of who sent it, and with the membership that it led to", async () => {
    const [admin, invited] = [await added(owner, organization, "admin"), await newMember()];
    const link = await invitedLink(admin, organization, invited.person.email, "admin");
    await act(owner, organization, "role", { member: admin.person.id, role: "member" });
    expect((await request(link)).status).toBe(404);
    expect((await organizationPage(owner.browser, organization)).html).not.toContain(invited.person.email);

    const again = await invitedLink(owner, organization, admin.person.email, "owner");
    expect((await request(again)).status).toBe(200);
    await act(owner, organization, "remove", { member: admin.person.id });
    expect((await request(again)).status).toBe(404);
  });

  it("R23: opens an account where only the invited get one", async () => {
    const gateway = gatewayWith({ SIGN_UP: "invite" });
    const open = async (email: string): Promise<Visit> => {
      const browser = formBrowser(gateway);
      const page = pageOf(await browser.open("/sign-up"));
      return browser.submit(page, "/sign-up", { name: "Invited", email, password: "a long enough passphrase" });
    };
    const [invited, stranger] = [`in-${crypto.randomUUID()}@example.com`, `out-${crypto.randomUUID()}@example.com`];
    await invitedLink(owner, organization, invited);
    const pages = [pageOf(await open(invited)), pageOf(await open(stranger))];
    expect(pages[0]?.status).toBe(pages[1]?.status);
    const { rows } = await db.execute(sql`select email from "user" where email in (${invited}, ${stranger})`);
    expect(rows).toEqual([{ email: invited }]);
    expect(pages[0]?.html).toContain("or an organization has invited");
  });

  it("R23: leads somebody without an account through sign-up, confirmation and login back to itself", async () => {
    const email = newEmail();
    const [link, browser] = [await invitedLink(owner, organization, email), formBrowser()];
    const shown = pageOf(await browser.open(link));
    const way = /href="(\/sign-up\?next=[^"]+)"/.exec(shown.html)?.[1] ?? "";
    await signUp(browser, email, way);
    const confirm = pageOf(await browser.open(await linkIn(email, "Confirm your email address")));
    const confirmed = pageOf(await browser.submit(confirm, "/verify-email", {}));
    const login = /href="(\/sign-in\?[^"]+)"/.exec(confirmed.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const back = pageOf(await signInAt(browser, await browser.open(login), { email }));
    expect(back.url.pathname).toBe(link);
    const joined = pageOf(await browser.submit(back, "/invite", { decision: "accept" }));
    expect(joined.url.pathname).toBe(`${ORGANIZATIONS}/${organization}`);
  });
});
