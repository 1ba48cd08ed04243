import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { ALL_SCOPES } from "../../../src/identity/scopes.ts";
import { formBrowser, leftFor, pageOf, textOf, type FormBrowser, type Page } from "../../support/browsing.ts";
import { callTool, db } from "../../support/gateway.ts";
import { authorizePath, json, newClient, newPerson, redeem, signInAt, type Person } from "../../support/oauth.ts";

const EVERY_SCOPE = ALL_SCOPES.join(" ");
const LEFT_OUT = ALL_SCOPES.filter((scope) => scope !== "admin");

/** A sign-in sets the role anew, so it is given after that. */
const makeAdministrator = ({ id }: Person) => db.execute(sql`update "user" set role = 'admin' where id = ${id}`);

async function consentFor(person: Person, clientId: string, scope: string): Promise<[FormBrowser, Page]> {
  const browser = formBrowser();
  return [browser, pageOf(await signInAt(browser, await browser.open(authorizePath(clientId, { scope })), person))];
}

/** The scopes that a client is told it has, sorted, and those that a tool sees, after a person allowed a request. */
async function granted(
  person: Person,
  scope: string,
  fields: Record<string, string> = {},
  prepare: (person: Person) => Promise<unknown> = async () => undefined,
): Promise<[told: string[], seen: string[]]> {
  const clientId = await newClient();
  const [browser, page] = await consentFor(person, clientId, scope);
  await prepare(person);
  const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow", ...fields }));
  const tokens = await json(await redeem(clientId, answer.searchParams.get("code") ?? ""));
  const { result } = await callTool("whoami", {}, { token: String(tokens["access_token"]) });
  const seen = (result?.structuredContent?.["scopes"] ?? []) as string[];
  return [String(tokens["scope"]).split(" ").toSorted(), seen.toSorted()];
}

describe("a client that asks for every scope there is", () => {
  it("gets what an ordinary person can grant, and the person is told what is left out", async () => {
    const [person, clientId] = [await newPerson(), await newClient()];
    const [, page] = await consentFor(person, clientId, EVERY_SCOPE);
    expect(textOf(page.html)).toContain("Only an administrator can grant that, so it is left out.");
    expect(page.html).not.toContain("grant_admin");
    const [told] = await granted(person, EVERY_SCOPE);
    expect(told).toEqual(LEFT_OUT.toSorted());
  });

  it("O01: gets no more when somebody who is no administrator forges the choice", async () => {
    const [told, seen] = await granted(await newPerson(), EVERY_SCOPE, { grant_admin: "yes" });
    expect([...told, ...seen]).not.toContain("admin");
  });

  it("is given the scope admin by an administrator who ticks it, and by no other", async () => {
    const [unticked] = await granted(await newPerson(), EVERY_SCOPE, {}, makeAdministrator);
    expect(unticked).toEqual(LEFT_OUT.toSorted());
    const [told, seen] = await granted(await newPerson(), EVERY_SCOPE, { grant_admin: "yes" }, makeAdministrator);
    expect(told).toEqual(ALL_SCOPES.toSorted());
    expect(seen).toContain("admin");
  });
});

describe("a client that asks for nothing that the person can grant", () => {
  it("is denied", async () => {
    const [browser, page] = await consentFor(await newPerson(), await newClient(), "admin");
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow" }));
    expect(answer.searchParams.get("error")).toBe("access_denied");
  });
});

describe("a client that names scopes that nobody knows", () => {
  it("gets the known ones", async () => {
    const [told] = await granted(await newPerson(), "mcp:tools invented:scope");
    expect(told).toEqual(["mcp:tools", "offline_access"]);
  });
});
