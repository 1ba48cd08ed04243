import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import type { ChangedBy, KnownActor } from "../../../src/audit/event.ts";
import { endAccount } from "../../../src/auth/account/end.ts";
import { changeRole, createOrganization, removeMember } from "../../../src/organizations/organizations.ts";
import { changedBy } from "../../support/accounts.ts";
import { pageOf } from "../../support/browsing.ts";
import { db, eventually, origin } from "../../support/gateway.ts";
import { newPerson } from "../../support/oauth.ts";
import {
  act,
  added,
  formTokens,
  newMember,
  newOrganization,
  rolesIn,
  ORGANIZATIONS,
  type Member,
} from "../../support/organizations.ts";

let owner: Member;
let organization: string;
beforeEach(async () => {
  owner = await newMember();
  organization = await newOrganization(owner);
});

describe("roles in an organization", () => {
  it("O02: members change nothing, administrators nothing at the top, owners everything", async () => {
    const [admin, member] = [await added(owner, organization, "admin"), await added(owner, organization)];
    const change = (actor: Member, target: Member, role: string) =>
      act(actor, organization, "role", { member: target.person.id, role });
    expect((await change(member, member, "owner")).status).toBe(403);
    expect((await change(member, admin, "member")).status).toBe(403);
    expect((await change(admin, admin, "owner")).status).toBe(403);
    expect((await change(admin, owner, "member")).status).toBe(403);
    expect((await act(admin, organization, "remove", { member: owner.person.id })).status).toBe(403);
    expect((await act(member, organization, "remove", { member: admin.person.id })).status).toBe(403);
    expect((await act(admin, organization, "invite", { email: "x@example.com", role: "owner" })).status).toBe(403);
    expect((await act(member, organization, "invite", { email: "x@example.com", role: "member" })).status).toBe(403);
    expect((await change(owner, member, "superuser")).status).toBe(403);
    expect(await rolesIn(organization)).toEqual({
      [owner.person.id]: "owner",
      [admin.person.id]: "admin",
      [member.person.id]: "member",
    });
    expect((await change(admin, member, "admin")).html).toContain("The role was changed.");
    expect((await change(owner, member, "owner")).html).toContain("The role was changed.");
    expect((await rolesIn(organization))[member.person.id]).toBe("owner");
  });

  it("O02: the last owner stays: neither demoted, nor removed, nor gone, but may hand over", async () => {
    const member = await added(owner, organization);
    expect((await act(owner, organization, "role", { member: owner.person.id, role: "member" })).status).toBe(409);
    expect((await act(owner, organization, "remove", { member: owner.person.id })).status).toBe(409);
    await act(owner, organization, "role", { member: member.person.id, role: "owner" });
    const left = await act(owner, organization, "remove", { member: owner.person.id });
    expect(left.url.pathname).toBe(ORGANIZATIONS);
    expect(await rolesIn(organization)).toEqual({ [member.person.id]: "owner" });
  });

  it("O02: two owners who demote each other at the same moment leave one, in each of twenty rounds", async () => {
    const other = await added(owner, organization, "owner");
    await Promise.all([formTokens(owner), formTokens(other)]);
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        act(owner, organization, "role", { member: other.person.id, role: "member" }),
        act(other, organization, "role", { member: owner.person.id, role: "member" }),
      ]);
      const roles = Object.values(await rolesIn(organization));
      expect(roles.filter((role) => role === "owner")).toHaveLength(1);
      await db.execute(sql`update member set role = 'owner' where organization_id = ${organization}`);
    }
  });

  it("O02: two owners who leave at the same moment leave one, in each of twenty rounds", async () => {
    const [one, two] = [owner.person.id, (await added(owner, organization, "owner")).person.id];
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.all(
        [one, two].map((userId) => removeMember(db, { ...changedBy(userId), organizationId: organization, userId })),
      );
      expect(outcomes.toSorted()).toEqual(["done", "last_owner"]);
      expect(Object.values(await rolesIn(organization))).toEqual(["owner"]);
      for (const userId of [one, two])
        await db.execute(sql`
            insert into member (id, organization_id, user_id, role, created_at)
            values (${`${organization}:${userId}`}, ${organization}, ${userId}, 'owner', now()) on conflict do nothing`);
    }
  });

  it.each([
    ["leaves", (change: Change) => removeMember(db, change)],
    ["steps down", (change: Change) => changeRole(db, { ...change, role: "admin" })],
  ])("O02: an owner whose account is ending counts no more when the other one %s", async (_, change) => {
    const shared = `organization-${crypto.randomUUID()}`;
    const [ending, other, member] = [await newPerson(), await newPerson(), await newPerson()];
    await db.execute(
      sql`insert into organization (id, name, slug, created_at) values (${shared}, 'Organization', ${shared}, now())`,
    );
    await db.execute(sql`
      insert into member (id, organization_id, user_id, role, created_at)
      values (${`${shared}:1`}, ${shared}, ${ending.id}, 'owner', now()), (${`${shared}:2`}, ${shared}, ${other.id}, 'owner', now()),
        (${`${shared}:3`}, ${shared}, ${member.id}, 'member', now())`);
    // The end of the account has both owners' rows and waits for the last one when the other owner goes.
    const held = db.batch([
      db.execute(sql`select 1 from member where id = ${`${shared}:3`} for update`),
      db.execute(sql`select pg_sleep(0.5), ${shared}`),
    ]);
    let free = false;
    const freed = held.then(() => (free = true));
    await eventually(async () => ((await waitsFor("PgSleep")) || free ? true : undefined));
    const end = endAccount(db, ending.id, changedBy(ending.id));
    await eventually(async () => ((await waitsFor("transactionid")) || free ? true : undefined));
    const outcome = change({ ...changedBy(other.id), organizationId: shared, userId: other.id });
    await Promise.all([freed, end, outcome]);
    expect(Object.values(await rolesIn(shared))).toContain("owner");
  });

  it("O02: cannot be changed past these pages", async () => {
    const member = await added(owner, organization);
    for (const name of [
      "update-member-role",
      "remove-member",
      "leave",
      "invite-member",
      "update",
      "delete",
      "create",
      "accept-invitation",
      "cancel-invitation",
    ]) {
      const answer = await member.browser.send(`/api/auth/organization/${name}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify({
          organizationId: organization,
          memberId: owner.person.id,
          role: "owner",
          memberIdOrEmail: owner.person.email,
        }),
      });
      expect([name, answer.status]).toEqual([name, 404]);
    }
  });
});

describe("an organization", () => {
  it("Q02: shows its name as text, whatever it is", async () => {
    const name = `<img src=x onerror=alert(1)>\u202Eevil`;
    const page = pageOf(
      await owner.browser.submit(pageOf(await owner.browser.open(ORGANIZATIONS)), ORGANIZATIONS, { name }),
    );
    expect(page.html).not.toContain("<img");
    expect(page.html).not.toContain("\u202E");
  });

  it("is one of at most twenty that somebody owns, also when they make them at the same moment", async () => {
    const userId = (await newPerson()).id;
    const made = await Promise.all(
      Array.from({ length: 25 }, () => createOrganization(db, { ...changedBy(userId), name: "One of many" })),
    );
    expect(made.filter((id) => id !== undefined)).toHaveLength(20);
  });
});

interface Change extends ChangedBy<KnownActor> {
  organizationId: string;
  userId: string;
}

/** Whether a statement waits for this: a sleep, or the end of another transaction. */
async function waitsFor(event: "PgSleep" | "transactionid"): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 from pg_stat_activity where wait_event = ${event}`);
  return rows.length > 0;
}
