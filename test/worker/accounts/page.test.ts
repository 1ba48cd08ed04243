import { describe, expect, it } from "vitest";
import { isSignedIn, linkIn, NEW_PASSWORD, submitAccountForm } from "../../support/account-forms.ts";
import { newEmail, postJson, signIn, userOf } from "../../support/accounts.ts";
import { formBrowser, pageOf, textOf, type FormBrowser } from "../../support/browsing.ts";
import { callTool, newKey, origin, request } from "../../support/gateway.ts";
import { AUTH, newClient, newPerson, PASSWORD, tokensFor, type Person } from "../../support/oauth.ts";

const WRONG = "wrong password here";
const statusOf = async (email: string, password: string) => (await signIn(formBrowser(), email, password)).status;

/** Somebody in a browser in which they are signed in. */
async function signedInPerson(): Promise<{ person: Person; browser: FormBrowser }> {
  const [person, browser] = [await newPerson(), formBrowser()];
  await signIn(browser, person.email);
  return { person, browser };
}

const post = (browser: FormBrowser, path: string, body: unknown) =>
  browser.send(`${AUTH}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", origin },
    body: JSON.stringify(body),
  });

describe("the account page", () => {
  it("is for people who are signed in, and leads others back to it", async () => {
    const page = pageOf(await formBrowser().open("/dashboard/account"));
    expect([page.url.pathname, page.url.searchParams.get("next")]).toEqual(["/sign-in", "/dashboard/account"]);
  });

  it("changes the name", async () => {
    const { person, browser } = await signedInPerson();
    const done = await submitAccountForm(browser, "name", { name: " Ada Example " });
    expect(textOf(done.html)).toContain("Your name was changed.");
    expect(await userOf(person.email)).toMatchObject({ name: "Ada Example" });
    expect(textOf(pageOf(await browser.open("/")).html)).toContain("Ada Example");
  });

  it.each(["", "  ", "x".repeat(101), "a\u0000b", "a\u001bb"])("N04: takes no name like %j", async (name) => {
    const { person, browser } = await signedInPerson();
    expect((await submitAccountForm(browser, "name", { name })).status).toBe(400);
    expect(await userOf(person.email)).toMatchObject({ name: "Test user" });
  });

  it.each([
    ["/change-password", { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }],
    ["/change-email", { newEmail: "somebody@example.com", password: PASSWORD }],
    ["/confirm-new-email", { token: "x" }],
    ["/delete-user", { email: "somebody@example.com", password: PASSWORD }],
  ])("O01: needs a session for %s, and no API key is one", async (path, body) => {
    const { key } = await newKey();
    const json = { "content-type": "application/json", origin };
    for (const headers of [json, { ...json, "x-api-key": key }, { ...json, authorization: `Bearer ${key}` }]) {
      const answer = await request(`${AUTH}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(401);
    }
  });

  it.each(["name", "password", "email", "delete"])("Q03: takes the form %s from its own page only", async (form) => {
    const { person, browser } = await signedInPerson();
    const fields = {
      name: "Changed",
      current_password: PASSWORD,
      new_password: NEW_PASSWORD,
      new_email: newEmail(),
      email_password: PASSWORD,
      delete_email: person.email,
      delete_password: PASSWORD,
    };
    const page = pageOf(await browser.open("/dashboard/account"));
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    const path = `/dashboard/account/${form}`;
    expect(pageOf(await browser.submit(page, path, fields, foreign)).status).toBe(403);
    expect(pageOf(await browser.post(path, fields)).status).toBe(403);
    expect(await userOf(person.email)).toMatchObject({ name: "Test user" });
    expect(await statusOf(person.email, PASSWORD)).toBe(200);
  });
});

describe("a change of password", () => {
  it("H06: needs the present one, signs out all other browsers at once, and gives this one a new session", async () => {
    const { person, browser } = await signedInPerson();
    const { email } = person;
    const other = formBrowser();
    await signIn(other, email);
    const before = browser.cookies.get("mrg.session_token") ?? "";
    const done = await submitAccountForm(browser, "password", {
      current_password: PASSWORD,
      new_password: NEW_PASSWORD,
    });
    expect([done.status, textOf(done.html)]).toEqual([200, expect.stringContaining("Your password was changed.")]);
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([true, false]);
    expect(browser.cookies.get("mrg.session_token")).not.toBe(before);
    const thief = formBrowser();
    thief.cookies.set("mrg.session_token", before);
    expect(await isSignedIn(thief)).toBe(false);
    expect([await statusOf(email, PASSWORD), await statusOf(email, NEW_PASSWORD)]).toEqual([401, 200]);
    await linkIn(email, "Your password was changed");
  });

  it.each([
    [WRONG, NEW_PASSWORD, "not the password of your account"],
    [PASSWORD, "short", "10 to 128 characters"],
    [PASSWORD, "x".repeat(129), "10 to 128 characters"],
    ["x".repeat(200), NEW_PASSWORD, "not the password of your account"],
  ])("is refused at the field that is wrong, and changes nothing: %s, %s", async (current, chosen, text) => {
    const { person, browser } = await signedInPerson();
    const other = formBrowser();
    await signIn(other, person.email);
    const fields = { current_password: current, new_password: chosen };
    const refused = await submitAccountForm(browser, "password", fields);
    expect([refused.status, textOf(refused.html)]).toEqual([400, expect.stringContaining(text)]);
    expect(refused.html).not.toContain(`value="${current}"`);
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([true, true]);
    expect(await statusOf(person.email, PASSWORD)).toBe(200);
  });

  it("leaves apps and keys alone", async () => {
    const { person, browser } = await signedInPerson();
    const { key } = await newKey({ userId: person.id });
    const { access_token: token } = await tokensFor(await newClient(), person);
    await submitAccountForm(browser, "password", { current_password: PASSWORD, new_password: NEW_PASSWORD });
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
  });

  it("I08: of two at the same moment, one wins", async () => {
    const { person, browser } = await signedInPerson();
    const chosen = ["the first new passphrase", "the second new passphrase"];
    const answers = await Promise.all(
      chosen.map((newPassword) => post(browser, "/change-password", { currentPassword: PASSWORD, newPassword })),
    );
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(1);
    const winner = chosen[answers.findIndex(({ ok }) => ok)] ?? "";
    expect(await statusOf(person.email, winner)).toBe(200);
    expect((await postJson("/sign-in/email", { email: person.email, password: PASSWORD })).status).toBe(401);
  });
});
