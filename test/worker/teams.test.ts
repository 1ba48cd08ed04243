import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { formBrowser, leftFor, pageOf, type FormBrowser, type Page, type Visit } from "../support/browsing.ts";
import { browserOf, whoami } from "../support/dashboard.ts";
import { db, eventually, mailsTo, newKey, request, withFault } from "../support/gateway.ts";
import {
  authorizePath,
  claimsOf,
  codeFor,
  gatewayWith,
  json,
  newClient,
  newPerson,
  redeem,
  refresh,
  signInAt,
  type Person,
  type Tokens,
} from "../support/oauth.ts";

const TEAMS = "/dashboard/team";

interface Member {
  person: Person;
  browser: FormBrowser;
}

async function newMember(): Promise<Member> {
  const person = await newPerson();
  return { person, browser: await browserOf(person) };
}

async function newTeam(owner: Member, name = "Example team"): Promise<string> {
  const page = pageOf(await owner.browser.submit(pageOf(await owner.browser.open(TEAMS)), TEAMS, { name }));
  expect(page.html).toContain(name);
  return page.url.pathname.split("/").at(-1) ?? "";
}

const teamPage = async (browser: FormBrowser, team: string): Promise<Page> =>
  pageOf(await browser.open(`${TEAMS}/${team}`));

/** Presses a button of the team's page, with a form token of it. */
async function act(member: Member, team: string, action: string, fields: Record<string, string>): Promise<Page> {
  const page = await teamPage(member.browser, team);
  const form = /name="form" value="([^"]+)"/.exec(page.html)?.[1] ?? "";
  return pageOf(
    await member.browser.post(
      `${TEAMS}/${team}/${action}`,
      { form, ...fields },
      { origin: "null", "sec-fetch-site": "same-origin" },
    ),
  );
}

async function invitedLink(owner: Member, team: string, email: string, role = "member"): Promise<string> {
  const before = (await mailsTo(email)).length;
  expect((await act(owner, team, "invite", { email, role })).html).toContain("The invitation is sent.");
  const links = await eventually(async () => {
    const mails = await mailsTo(email);
    return mails.length > before ? mails[0]?.links : undefined;
  });
  return new URL(links[0] ?? "").pathname;
}

async function join(member: Member, link: string, decision = "accept"): Promise<Page> {
  return pageOf(await member.browser.submit(pageOf(await member.browser.open(link)), "/invite", { decision }));
}

async function added(owner: Member, team: string, role = "member"): Promise<Member> {
  const member = await newMember();
  await join(member, await invitedLink(owner, team, member.person.email, role));
  return member;
}

async function rolesIn(team: string): Promise<Record<string, string>> {
  const { rows } = await db.execute<{ user_id: string; role: string }>(
    sql`select user_id, role from member where organization_id = ${team}`,
  );
  return Object.fromEntries(rows.map(({ user_id: id, role }) => [id, role]));
}

let owner: Member;
let team: string;
beforeEach(async () => {
  owner = await newMember();
  team = await newTeam(owner);
});

describe("an invitation", () => {
  it("brings the invited person into the team, in the role that was offered, once", async () => {
    const member = await newMember();
    const link = await invitedLink(owner, team, member.person.email, "admin");
    const shown = pageOf(await member.browser.open(link));
    expect(shown.html).toContain("Example team");
    const joined = await join(member, link);
    expect(joined.url.pathname).toBe(`${TEAMS}/${team}`);
    expect(await rolesIn(team)).toEqual({ [owner.person.id]: "owner", [member.person.id]: "admin" });
    expect(pageOf(await member.browser.open(link)).status).toBe(404);
  });

  it("waits through a login", async () => {
    const member = await newPerson();
    const link = await invitedLink(owner, team, member.email);
    const browser = formBrowser();
    const shown = pageOf(await browser.open(link));
    const login = await browser.open(
      /href="(\/sign-in\?next=[^"]+)"/.exec(shown.html)?.[1]?.replaceAll("&amp;", "&") ?? "",
    );
    const back = pageOf(await signInAt(browser, login, member));
    expect(back.url.pathname).toBe(link);
    expect(back.html).toContain("Join the team");
  });

  it("I11: is for the person whose confirmed address was invited, and nobody else", async () => {
    const [member, stranger] = [await newMember(), await newMember()];
    const link = await invitedLink(owner, team, member.person.email);
    expect((await join(stranger, link)).status).toBe(403);
    await db.execute(sql`update "user" set email_verified = false where id = ${member.person.id}`);
    expect((await join(member, link)).status).toBe(403);
    expect(await rolesIn(team)).toEqual({ [owner.person.id]: "owner" });
    await db.execute(sql`update "user" set email_verified = true where id = ${member.person.id}`);
    expect((await join(member, link, "decline")).url.pathname).toContain("/dashboard");
    expect(pageOf(await member.browser.open(link)).status).toBe(404);
  });

  it("ends when it is cancelled, replaced, or a week old", async () => {
    const member = await newMember();
    const first = await invitedLink(owner, team, member.person.email);
    const second = await invitedLink(owner, team, member.person.email);
    expect(pageOf(await member.browser.open(first)).status).toBe(404);
    const id = /name="invitation" value="([^"]+)"/.exec((await teamPage(owner.browser, team)).html)?.[1] ?? "";
    expect((await act(owner, team, "cancel", { invitation: id })).html).toContain("The invitation is cancelled.");
    expect(pageOf(await member.browser.open(second)).status).toBe(404);
    const third = await invitedLink(owner, team, member.person.email);
    await db.execute(
      sql`update invitation set expires_at = now() - interval '1 second' where organization_id = ${team}`,
    );
    expect(pageOf(await member.browser.open(third)).status).toBe(404);
  });

  it("I02: looks the same for an address without an account, and mails nobody more than three times a day", async () => {
    const email = `nobody-${crypto.randomUUID()}@example.com`;
    for (let i = 0; i < 5; i++)
      expect((await act(owner, team, "invite", { email, role: "member" })).html).toContain("The invitation is sent.");
    await eventually(async () => ((await mailsTo(email)).length >= 3 ? true : undefined));
    expect(await mailsTo(email)).toHaveLength(3);
  });

  it("is not sent more than twenty times a day by one team", async () => {
    await db.execute(sql`insert into invitation (id, organization_id, email, role, status, expires_at, inviter_id)
      select ${team} || n, ${team}, 'x' || n || '@example.com', 'member', 'canceled', now(), ${owner.person.id} from generate_series(1, 20) n`);
    const refused = await act(owner, team, "invite", { email: "one-more@example.com", role: "member" });
    expect(refused.status).toBe(429);
  });

  it("R23: opens an account where only the invited get one", async () => {
    const gateway = gatewayWith({ SIGN_UP: "invite" });
    const signUp = async (email: string): Promise<Visit> => {
      const browser = formBrowser(gateway);
      const page = pageOf(await browser.open("/sign-up"));
      return browser.submit(page, "/sign-up", { name: "Invited", email, password: "a long enough passphrase" });
    };
    const [invited, stranger] = [`in-${crypto.randomUUID()}@example.com`, `out-${crypto.randomUUID()}@example.com`];
    await invitedLink(owner, team, invited);
    const pages = [pageOf(await signUp(invited)), pageOf(await signUp(stranger))];
    expect(pages[0]?.status).toBe(pages[1]?.status);
    const { rows } = await db.execute(sql`select email from "user" where email in (${invited}, ${stranger})`);
    expect(rows).toEqual([{ email: invited }]);
  });
});

describe("roles in a team", () => {
  it("O02: members change nothing, administrators nothing at the top, owners everything", async () => {
    const [admin, member] = [await added(owner, team, "admin"), await added(owner, team)];
    const change = (actor: Member, target: Member, role: string) =>
      act(actor, team, "role", { member: target.person.id, role });
    expect((await change(member, member, "owner")).status).toBe(403);
    expect((await change(member, admin, "member")).status).toBe(403);
    expect((await change(admin, admin, "owner")).status).toBe(403);
    expect((await change(admin, owner, "member")).status).toBe(403);
    expect((await act(admin, team, "remove", { member: owner.person.id })).status).toBe(403);
    expect((await act(member, team, "remove", { member: admin.person.id })).status).toBe(403);
    expect((await act(admin, team, "invite", { email: "x@example.com", role: "owner" })).status).toBe(403);
    expect((await act(member, team, "invite", { email: "x@example.com", role: "member" })).status).toBe(403);
    expect((await change(owner, member, "superuser")).status).toBe(403);
    expect(await rolesIn(team)).toEqual({
      [owner.person.id]: "owner",
      [admin.person.id]: "admin",
      [member.person.id]: "member",
    });
    expect((await change(admin, member, "admin")).html).toContain("The role is changed.");
    expect((await change(owner, member, "owner")).html).toContain("The role is changed.");
    expect((await rolesIn(team))[member.person.id]).toBe("owner");
  });

  it("O02: the last owner stays: neither demoted, nor removed, nor gone, but may hand over", async () => {
    const member = await added(owner, team);
    expect((await act(owner, team, "role", { member: owner.person.id, role: "member" })).status).toBe(409);
    expect((await act(owner, team, "remove", { member: owner.person.id })).status).toBe(409);
    await act(owner, team, "role", { member: member.person.id, role: "owner" });
    const left = await act(owner, team, "remove", { member: owner.person.id });
    expect(left.url.pathname).toBe(TEAMS);
    expect(await rolesIn(team)).toEqual({ [member.person.id]: "owner" });
  });

  it(
    "O02: two owners who demote each other at the same moment leave one, in each of twenty rounds",
    { timeout: 60_000 },
    async () => {
      const other = await added(owner, team, "owner");
      for (let round = 0; round < 20; round++) {
        await Promise.all([
          act(owner, team, "role", { member: other.person.id, role: "member" }),
          act(other, team, "role", { member: owner.person.id, role: "member" }),
        ]);
        const roles = Object.values(await rolesIn(team));
        expect(roles.filter((role) => role === "owner")).toHaveLength(1);
        await db.execute(sql`update member set role = 'owner' where organization_id = ${team}`);
      }
    },
  );

  it("O02: cannot be changed past these pages", async () => {
    const member = await added(owner, team);
    for (const name of [
      "update-member-role",
      "remove-member",
      "leave",
      "invite-member",
      "update",
      "delete",
      "create",
    ]) {
      const answer = await member.browser.send(`/api/auth/organization/${name}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: "http://localhost:8787" },
        body: JSON.stringify({
          organizationId: team,
          memberId: owner.person.id,
          role: "owner",
          memberIdOrEmail: owner.person.email,
        }),
      });
      expect([name, answer.status]).toEqual([name, 404]);
    }
  });
});

describe("a team", () => {
  it("O01 O03: does not exist for strangers, for people without a session and for API keys", async () => {
    const stranger = await newMember();
    const { key } = await newKey();
    const missing = await teamPage(stranger.browser, `team-${crypto.randomUUID()}`);
    const foreign = await teamPage(stranger.browser, team);
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    expect(foreign.html.replace(/nonce="[^"]*"/g, "")).toBe(missing.html.replace(/nonce="[^"]*"/g, ""));
    for (const id of ["", "%20", `${team}%20`, "a[]=b", `personal-${owner.person.id}`])
      expect([404, 200]).toContain((await stranger.browser.send(`${TEAMS}/${id}`)).status);
    for (const action of ["role", "remove", "invite", "cancel"]) {
      const path = `${TEAMS}/${team}/${action}`;
      expect((await request(path, { method: "POST", headers: { "x-api-key": key } })).status).toBeGreaterThanOrEqual(
        400,
      );
    }
    expect(Object.keys(await rolesIn(team))).toEqual([owner.person.id]);
  });

  it("Q02: shows its name as text, whatever it is", async () => {
    const name = `<img src=x onerror=alert(1)>\u202Eevil`;
    const page = pageOf(await owner.browser.submit(pageOf(await owner.browser.open(TEAMS)), TEAMS, { name }));
    expect(page.html).not.toContain("<img");
    expect(page.html).not.toContain("\u202E");
  });

  it("O04: ends what the apps of somebody who is removed had in it, at once, and nothing else of theirs", async () => {
    const member = await added(owner, team);
    const [clientId, elsewhere] = [await newClient(), await newClient()];
    const browser = formBrowser();
    const own = await (await redeem(elsewhere, await codeFor(elsewhere, member.person, {}, browser))).json<Tokens>();
    const consent = pageOf(await browser.open(authorizePath(clientId)));
    const back = leftFor(await browser.submit(consent, "/consent", { decision: "allow", tenant: team }));
    const inTeam = await (await redeem(clientId, back.searchParams.get("code") ?? "")).json<Tokens>();
    expect(claimsOf(inTeam.access_token)["tenant"]).toBe(team);
    expect(await whoami(inTeam.access_token)).toBe(200);
    expect((await act(owner, team, "remove", { member: member.person.id })).html).toContain("The member is removed.");
    expect(await whoami(inTeam.access_token)).toBe(401);
    expect(await json(await refresh(clientId, inTeam.refresh_token))).toMatchObject({ error: "invalid_grant" });
    expect(await whoami(own.access_token)).toBe(200);
    expect((await refresh(elsewhere, own.refresh_token)).status).toBe(200);
  });

  it("finishes a removal that Redis interrupted when it is tried again", async () => {
    const member = await added(owner, team);
    await withFault({ upstash: { mode: "reset-before", nth: 3 } }, () =>
      act(owner, team, "remove", { member: member.person.id }).catch(() => undefined),
    );
    await act(owner, team, "remove", { member: member.person.id });
    expect(Object.keys(await rolesIn(team))).toEqual([owner.person.id]);
  });
});
