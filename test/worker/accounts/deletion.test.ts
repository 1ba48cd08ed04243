import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { endAccount } from "../../../src/auth/account/end.ts";
import { isSignedIn, postWithin, submitAccountForm } from "../../support/account-forms.ts";
import { changedBy, confirmAddress, newEmail, postJson, signIn, signUp, userOf } from "../../support/accounts.ts";
import { formBrowser, textOf, type FormBrowser } from "../../support/browsing.ts";
import { addUpstream, callTool, db, newKey, newUser, upstreams, withFault } from "../../support/gateway.ts";
import {
  codeFor,
  newClient,
  newPerson,
  PASSWORD,
  redeem,
  refresh,
  type Person,
  type Tokens,
} from "../../support/oauth.ts";

const remove = (browser: FormBrowser, email: string, password = PASSWORD) =>
  submitAccountForm(browser, "delete", { delete_email: email, delete_password: password });

/** An organization with members in these roles. */
async function newOrganization(members: readonly (readonly [Person, string])[]): Promise<{ id: string; name: string }> {
  const id = `organization-${crypto.randomUUID()}`;
  const name = `Organization ${id.slice(-12)}`;
  await db.execute(sql`insert into organization (id, name, slug, created_at) values (${id}, ${name}, ${id}, now())`);
  for (const [person, role] of members) {
    await db.execute(sql`insert into member (id, organization_id, user_id, role, created_at)
      values (${crypto.randomUUID()}, ${id}, ${person.id}, ${role}, now())`);
  }
  return { id, name };
}

const rowsOf = async (table: string, column: string, value: string): Promise<number> => {
  const { rows } = await db.execute<{ n: number }>(
    sql`select count(*)::int as n from ${sql.identifier(table)} where ${sql.identifier(column)} = ${value}`,
  );
  return rows[0]?.n ?? -1;
};

/** A person with a session here and elsewhere, a key, and apps with and without refresh tokens. */
async function settledPerson() {
  const [person, browser, elsewhere] = [await newPerson(), formBrowser(), formBrowser()];
  for (const one of [browser, elsewhere]) await signIn(one, person.email);
  const { key } = await newKey({ userId: person.id });
  await addUpstream(person.tenantId, "own", upstreams.everything);
  const clientId = await newClient();
  const tokens = async (client: string, changed = {}) =>
    (await redeem(client, await codeFor(client, person, changed, elsewhere))).json<Tokens>();
  const long = await tokens(clientId);
  const short = await tokens(await newClient(), { scope: "openid mcp:tools" });
  const credentials = [{ key }, { token: long.access_token }, { token: short.access_token }];
  return { person, browser, elsewhere, clientId, refreshToken: long.refresh_token, credentials };
}

type Settled = Awaited<ReturnType<typeof settledPerson>>;

const statuses = ({ credentials }: Settled) =>
  Promise.all(credentials.map(async (one) => (await callTool("echo", { text: "x" }, one)).status));

async function expectAlive(settled: Settled): Promise<void> {
  const { person, browser, elsewhere } = settled;
  expect(await statuses(settled)).toEqual([200, 200, 200]);
  expect([await isSignedIn(browser), await isSignedIn(elsewhere)]).toEqual([true, true]);
  expect(await userOf(person.email)).toMatchObject({ id: person.id });
  expect([
    await rowsOf("apikey", "reference_id", person.id),
    await rowsOf("organization", "id", person.tenantId),
  ]).toEqual([1, 1]);
}

async function expectGone(settled: Settled): Promise<void> {
  const { person, browser, elsewhere, clientId, refreshToken } = settled;
  expect(await statuses(settled)).toEqual([401, 401, 401]);
  expect([await isSignedIn(browser), await isSignedIn(elsewhere)]).toEqual([false, false]);
  expect((await refresh(clientId, refreshToken)).status).toBe(400);
  expect((await postJson("/sign-in/email", { email: person.email, password: PASSWORD })).status).toBe(401);
  expect(await userOf(person.email)).toBeUndefined();
  const left = [
    ["apikey", "reference_id", person.id],
    ["session", "user_id", person.id],
    ["account", "user_id", person.id],
    ["member", "user_id", person.id],
    ["oauth_refresh_token", "user_id", person.id],
    ["oauth_consent", "user_id", person.id],
    ["organization", "id", person.tenantId],
    ["upstream_server", "tenant_id", person.tenantId],
  ] as const;
  for (const [table, column, value] of left) expect([table, await rowsOf(table, column, value)]).toEqual([table, 0]);
}

describe("a deleted account", () => {
  it("H06: takes its sessions, keys, apps and personal tenant along at once, and leaves its address free", async () => {
    const [settled, bystander] = [await settledPerson(), await settledPerson()];
    const { person, browser } = settled;
    await expectAlive(settled);
    const done = await remove(browser, ` ${person.email.toUpperCase()} `);
    expect([done.status, textOf(done.html)]).toEqual([200, expect.stringContaining("Account deleted")]);
    await expectGone(settled);
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    await expectAlive(bystander);
    const again = formBrowser();
    await signUp(again, person.email);
    await confirmAddress(again, person.email);
    expect((await signIn(again, person.email)).status).toBe(200);
    expect(await userOf(person.email)).not.toMatchObject({ id: person.id });
  });

  it("needs the password and the address typed out", async () => {
    const settled = await settledPerson();
    const { person, browser } = settled;
    const wrong = await remove(browser, person.email, "wrong password here");
    expect([wrong.status, textOf(wrong.html)]).toEqual([400, expect.stringContaining("not the password")]);
    const other = await remove(browser, newEmail());
    expect([other.status, textOf(other.html)]).toEqual([400, expect.stringContaining("not the address")]);
    await expectAlive(settled);
  });
});

describe("the last owner of an organization", () => {
  it("hands it over before the account can be deleted, and is told which ones", async () => {
    const [settled, colleague, second] = [await settledPerson(), await newPerson(), await newPerson()];
    const { person, browser } = settled;
    const mine = await newOrganization([
      [person, "owner"],
      [colleague, "member"],
    ]);
    const shared = await newOrganization([
      [person, "admin,owner"],
      [second, "owner"],
    ]);
    const theirs = await newOrganization([
      [person, "member"],
      [colleague, "owner"],
    ]);
    const alone = await newOrganization([[person, "owner"]]);
    const refused = await remove(browser, person.email);
    expect(refused.status).toBe(409);
    expect(textOf(refused.html)).toContain(mine.name);
    for (const { name } of [shared, theirs, alone]) expect(textOf(refused.html)).not.toContain(name);
    await expectAlive(settled);
    await db.execute(
      sql`update member set role = 'owner' where organization_id = ${mine.id} and user_id = ${colleague.id}`,
    );
    expect((await remove(browser, person.email)).status).toBe(200);
    await expectGone(settled);
    for (const { id } of [mine, shared, theirs]) expect(await rowsOf("member", "organization_id", id)).toBe(1);
    expect(await rowsOf("organization", "id", alone.id)).toBe(0);
  });

  it("is always somebody: of two owners who leave at the same moment, one stays", async () => {
    for (let round = 0; round < 10; round++) {
      const [one, two, member] = [await newUser(), await newUser(), await newUser()];
      const organization = await newOrganization([
        [one, "owner"],
        [two, "owner"],
        [member, "member"],
      ]);
      const ends = await Promise.allSettled([one, two].map(({ id }) => endAccount(db, id, changedBy(id))));
      const values = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
      expect(values.filter(({ deleted }) => deleted)).toHaveLength(1);
      for (const { deleted, orphans } of values) expect(orphans).toEqual(deleted ? [] : [organization.name]);
      const owners = await db.execute(
        sql`select 1 from member where organization_id = ${organization.id} and role = 'owner'`,
      );
      expect(owners.rows).toHaveLength(1);
    }
  });
});

describe("a fault while an account is being deleted", () => {
  const REQUESTS = { neon: [1, 2, 3], upstash: [1, 2, 3, 4, 5, 6, 7] };
  const FAULTS = (["neon", "upstash"] as const).flatMap((part) =>
    ["reset-before", "reset-after-commit"].flatMap((mode) => REQUESTS[part].map((nth) => ({ part, mode, nth }))),
  );

  it.each(FAULTS)("leaves all of it or nothing, and the next try succeeds: $part, $mode at $nth", async (fault) => {
    const settled = await settledPerson();
    const { person, browser } = settled;
    const { part, ...how } = fault;
    const first = await withFault({ [part]: how }, () =>
      postWithin(browser, "/delete-user", { email: person.email, password: PASSWORD }),
    );
    expect([200, 503]).toContain(first.status);
    const alive = (await userOf(person.email)) !== undefined;
    if (first.status === 200) expect(alive).toBe(false);
    if (alive) {
      await expectAlive(settled);
      expect((await remove(browser, person.email)).status).toBe(200);
    }
    await expectGone(settled);
  });
});
