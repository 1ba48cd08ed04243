import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  ADDRESS_SUBJECT,
  choosePassword,
  linkIn,
  NEW_PASSWORD,
  openResetLink,
  submitAccountForm,
} from "../../support/account-forms.ts";
import { entriesFrom, entriesOf, inShort, type AccountEntry } from "../../support/account-audit.ts";
import { confirmAddress, newEmail, postJson, signIn, signUp, userOf } from "../../support/accounts.ts";
import { formBrowser, newAddress, pageOf, type FormBrowser } from "../../support/browsing.ts";
import { db, newUser, origin } from "../../support/gateway.ts";
import { backgroundSettled } from "../../support/worker.ts";
import { newPerson, PASSWORD } from "../../support/oauth.ts";

const WRONG = "wrong password here";

/** One try from a network address. */
const attempt = (email: string, password: string, address: string, headers: Record<string, string> = {}) =>
  postJson("/sign-in/email", { email, password }, { origin, "cf-connecting-ip": address, ...headers });

const tokenOf = (browser: FormBrowser) => browser.cookies.get("mrg.session_token") ?? "no session";

async function sessionOf(browser: FormBrowser): Promise<string> {
  const answer = await browser.send("/api/auth/get-session");
  return (await answer.json<{ session: { id: string } }>()).session.id;
}

describe("the audit log of an account", () => {
  it("R11: holds its life from the sign-up on, in order, with who, from where and by which session", async () => {
    const [email, browser] = [newEmail(), formBrowser()];
    await signUp(browser, email);
    const id = String((await userOf(email))?.["id"]);
    await signIn(browser, email);
    await confirmAddress(browser, email);
    await signIn(browser, email, WRONG);
    await signIn(browser, email);
    const [session, cookie] = [await sessionOf(browser), tokenOf(browser)];
    await submitAccountForm(browser, "password", { current_password: PASSWORD, new_password: NEW_PASSWORD });
    const renewed = await sessionOf(browser);
    await browser.submit(pageOf(await browser.open("/")), "/sign-out", {});
    const entries = await entriesOf(id, 7);
    expect(entries.map(inShort)).toEqual([
      "account.created password",
      "account.sign_in_refused unverified password",
      "account.email_verified",
      "account.sign_in_refused wrong_password password",
      "account.signed_in password",
      "account.password_changed",
      "account.signed_out",
    ]);
    for (const { user_id: user, request_id: request, ip } of entries)
      expect([user, request.length, ip]).toEqual([id, 36, expect.stringMatching(/^11\./)]);
    expect(entries.map(bySession)).toEqual([
      ...Array.from({ length: 4 }, () => [null, null, id]),
      ["session", session, id],
      ["session", session, id],
      ["session", renewed, renewed],
    ]);
    expect(entries[5]?.detail).toEqual({ sessions_ended: 1 });
    for (const secret of [PASSWORD, NEW_PASSWORD, WRONG, email, cookie])
      expect(JSON.stringify(entries)).not.toContain(secret);
  });

  it("R11: holds its life to the end: another address, other browsers, a lost password, and none after it", async () => {
    const [person, second] = [await newPerson(), newEmail()];
    const [own, other] = [formBrowser(), formBrowser()];
    await signIn(own, person.email);
    await submitAccountForm(own, "email", { new_email: second, email_password: PASSWORD });
    const link = await linkIn(second, ADDRESS_SUBJECT);
    await own.submit(pageOf(await own.open(link)), "/dashboard/account/confirm-address", {});
    await signIn(other, second);
    const [session, elsewhere] = [await sessionOf(own), await sessionOf(other)];
    await own.submit(pageOf(await own.open("/dashboard/sessions")), "/dashboard/sessions/revoke-others", {});
    await choosePassword(own, await openResetLink(own, second), NEW_PASSWORD);
    await signIn(own, second, NEW_PASSWORD);
    const last = await sessionOf(own);
    await submitAccountForm(own, "delete", { delete_email: second, delete_password: NEW_PASSWORD });
    const entries = await entriesOf(person.id, 9);
    expect(entries.map(inShort)).toEqual([
      "account.signed_in password",
      "account.email_change_requested",
      "account.email_changed",
      "account.signed_in password",
      "session.ended",
      "account.password_reset_requested",
      "account.password_reset",
      "account.signed_in password",
      "account.deleted",
    ]);
    expect(entries.map(bySession).slice(4)).toEqual([
      ["session", session, elsewhere],
      [null, null, person.id],
      [null, null, person.id],
      ["session", last, person.id],
      ["session", last, person.id],
    ]);
    const token = new URLSearchParams(link.split("?")[1]).get("token") ?? "no token";
    for (const secret of [person.email, second, token, NEW_PASSWORD])
      expect(JSON.stringify(entries)).not.toContain(secret);
  });

  it("R11: says that a password chosen by mail has confirmed the address, too", async () => {
    const email = newEmail();
    await signUp(formBrowser(), email);
    const id = String((await userOf(email))?.["id"]);
    await confirmAddress(formBrowser(), email, NEW_PASSWORD);
    const entries = await entriesOf(id, 3);
    expect(entries.map(inShort).toSorted()).toEqual([
      "account.created password",
      "account.email_verified reset",
      "account.password_reset",
    ]);
  });

  it("R11: says which session a person has ended", async () => {
    const person = await newPerson();
    const [own, other] = [formBrowser(), formBrowser()];
    await signIn(own, person.email);
    await signIn(other, person.email);
    const [mine, session] = [await sessionOf(own), await sessionOf(other)];
    const page = pageOf(await own.open("/dashboard/sessions"));
    await own.submit(page, "/dashboard/sessions/revoke", { session });
    const ended = (await entriesOf(person.id, 3)).find(({ event }) => event === "session.ended");
    expect(ended && bySession(ended)).toEqual(["session", mine, session]);
  });

  it("R11: does not let the caller choose the id, the address or the person of an entry", async () => {
    const person = await newPerson();
    const address = newAddress();
    const forged = {
      "x-request-id": "forged",
      "x-forwarded-for": "192.0.2.1",
      "user-agent": "agent\u202e".slice(0, 5),
    };
    const answer = await attempt(person.email, PASSWORD, address, forged);
    expect(await entriesOf(person.id, 1)).toMatchObject([
      { request_id: answer.headers.get("x-request-id"), ip: address, user_agent: "agent", user_id: person.id },
    ]);
  });

  it("keeps nothing of a sign-up that has never ended", async () => {
    const { id, email } = await newUser();
    await db.execute(
      sql`update "user" set email_verified = false, created_at = now() - interval '1 hour' where id = ${id}`,
    );
    await signUp(formBrowser(), email);
    expect((await entriesOf(id, 1)).map(({ event, detail }) => [event, detail])).toEqual([
      ["account.deleted", { reason: "unfinished_sign_up" }],
    ]);
  });
});

describe("refused sign-ins in the audit log", () => {
  it("I02: tell unknown accounts from wrong passwords, which the caller cannot", async () => {
    const person = await newPerson();
    const [unknown, address] = [newEmail(), newAddress()];
    const seen = [];
    for (const email of [person.email, unknown]) {
      const answer = await attempt(email, WRONG, address);
      seen.push([answer.status, await answer.text()]);
    }
    expect(seen[0]).toEqual(seen[1]);
    const entries = await entriesFrom(address, 2);
    expect(entries).toMatchObject([
      { code: "wrong_password", outcome: "refused", tenant_id: person.tenantId, user_id: person.id },
      { code: "unknown_account", outcome: "refused", tenant_id: null, user_id: null, target: null },
    ]);
    for (const text of [unknown, person.email, WRONG]) expect(JSON.stringify(entries)).not.toContain(text);
  });

  it("R11: cost one row, whoever guesses how often at an account or from a network", async () => {
    const person = await newPerson();
    const address = newAddress();
    for (let time = 0; time < 4; time++) await attempt(person.email, WRONG, newAddress());
    for (let time = 0; time < 4; time++) await attempt(newEmail(), WRONG, address);
    await backgroundSettled();
    expect(await entriesOf(person.id, 1)).toHaveLength(1);
    expect(await entriesFrom(address, 1)).toHaveLength(1);
  });

  it("I03: name a hash when an account has to wait, and no address", async () => {
    const person = await newPerson();
    const address = newAddress();
    for (let time = 0; time < 6; time++) await attempt(person.email, WRONG, address);
    const entries = await entriesFrom(address, 2);
    expect(entries.map(({ code, target, tenant_id: tenant }) => [code, target, tenant])).toEqual([
      ["wrong_password", person.id, person.tenantId],
      ["backed_off", expect.stringMatching(/^[\w-]{43}$/), null],
    ]);
  });

  it("R11: say that a person is banned, and record no sign-in", async () => {
    const person = await newPerson();
    await db.execute(sql`update "user" set banned = true where id = ${person.id}`);
    expect((await attempt(person.email, PASSWORD, newAddress())).status).toBe(403);
    expect((await entriesOf(person.id, 1)).map(inShort)).toEqual(["account.sign_in_refused banned password"]);
  });

  it("leave requests that name no account out", async () => {
    const address = newAddress();
    await attempt("no address", WRONG, address);
    await attempt(newEmail(), "x".repeat(200), address);
    await attempt(newEmail(), WRONG, address);
    expect((await entriesFrom(address, 1)).map(({ code }) => code)).toEqual(["unknown_account"]);
  });
});

describe("requests for a link to a new password", () => {
  it("R11: are counted for accounts and for networks, and name no address without an account", async () => {
    const person = await newPerson();
    const [unknown, address] = [newEmail(), newAddress()];
    for (const email of [person.email, person.email, unknown, unknown])
      await postJson("/request-password-reset", { email }, { origin, "cf-connecting-ip": address });
    await backgroundSettled();
    const entries = await entriesFrom(address, 2);
    expect(entries.map(({ event, user_id: user, target }) => [event, user, target])).toEqual([
      ["account.password_reset_requested", person.id, person.id],
      ["account.password_reset_requested", null, null],
    ]);
    expect(JSON.stringify(entries)).not.toContain(unknown);
  });
});

const bySession = ({ credential_kind: kind, credential_id: credential, target }: AccountEntry) => [
  kind,
  credential,
  target,
];
