import { beforeEach, describe, expect, it } from "vitest";
import { hiddenFields, pageOf, textOf, type FormBrowser } from "../../support/browsing.ts";
import { act, keyOn, KEYS, LIMITS, madeKey, make, NEW, open, rowOf, rowsOf } from "../../support/key-pages.ts";
import { added, newMember, newOrganization, OWN_FORM, type Member } from "../../support/organizations.ts";

let owner: Member;
beforeEach(async () => {
  owner = await newMember();
});

describe("who may see and change a key", () => {
  const ACTIONS = ["name", "limits", "enabled", "rotate", "revoke"] as const;

  /** Form tokens that are good in this browser, from a key of its own. */
  async function tokensOf(member: Member): Promise<Record<string, string>> {
    const { path } = await madeKey(member);
    const [page, question] = [await open(member, path), await open(member, `${path}/revoke`)];
    return Object.fromEntries(
      ACTIONS.map((name) => [name, hiddenFields(name === "revoke" ? question : page, `${path}/${name}`)["form"] ?? ""]),
    );
  }

  /** The statuses of every page and form of a key. */
  async function statuses(browser: FormBrowser, path: string, tokens: Record<string, string>): Promise<number[]> {
    const seen = [path, `${path}/revoke`].map(async (one) => (await browser.send(one)).status);
    const entered = { ...LIMITS, name: "Taken", enabled: "no", overlap: "0", period: "month" };
    const sent = ACTIONS.map(async (action) => {
      const body = new URLSearchParams({ ...entered, form: tokens[action] ?? "" }).toString();
      const headers = { ...OWN_FORM, "content-type": "application/x-www-form-urlencoded" };
      return (await browser.send(`${path}/${action}`, { method: "POST", body, headers })).status;
    });
    return Promise.all([...seen, ...sent]);
  }

  it("O01 O03: its owner; for everybody else there is none, as for an id that nobody has", async () => {
    const { key, path } = await madeKey(owner);
    const before = await rowOf(key);
    const stranger = await newMember();
    const tokens = await tokensOf(stranger);
    const notFound = Array.from({ length: 7 }, () => 404);
    expect(await statuses(stranger.browser, path, tokens)).toEqual(notFound);
    const ids = [crypto.randomUUID(), "%20", "a%00b", "x".repeat(65), `${before.id}%20`, "..%2fapps"];
    for (const id of ids) expect([id, (await owner.browser.send(`${KEYS}/${id}`)).status]).toEqual([id, 404]);
    const [foreign, missing] = [await open(stranger, path), await open(stranger, `${KEYS}/${crypto.randomUUID()}`)];
    expect(textOf(foreign.html)).toBe(textOf(missing.html));
    for (const name of stranger.browser.cookies.keys())
      if (name.includes("session")) stranger.browser.cookies.delete(name);
    expect(await statuses(stranger.browser, path, tokens)).toEqual(notFound.map(() => 303));
    expect(await rowOf(key)).toEqual({ ...before, expires: expect.anything() });
    expect((await open(owner, KEYS)).html).toContain(path);
  });

  it("O02: an organization's owners and administrators, not its members", async () => {
    const organization = await newOrganization(owner, "Example organization");
    const [admin, member] = [await added(owner, organization, "admin"), await added(owner, organization)];
    const { key, path } = await madeKey(owner, { tenant: organization, owner: "organization" });
    expect(await rowOf(key)).toMatchObject({
      config_id: "organization",
      reference_id: organization,
      tenant_id: organization,
    });
    expect((await act(admin, path, "name", { name: "Renamed" })).url.search).toBe("?done=name");
    expect(textOf((await open(admin, KEYS)).html)).toContain("Renamed");
    expect(await statuses(member.browser, path, await tokensOf(member))).toEqual(Array.from({ length: 7 }, () => 404));
    expect((await open(member, KEYS)).html).not.toContain("Renamed");

    const refused = await make(member, { tenant: organization, owner: "organization" });
    expect(refused.status).toBe(400);
    expect(refused.html).toMatch(/id="owner-problem"[^<]*Only owners and admins/);
    const own = await rowOf(keyOn(await make(member, { tenant: organization })));
    expect(own).toMatchObject({ config_id: "default", reference_id: member.person.id, tenant_id: organization });
    expect(await rowOf(key)).toMatchObject({ name: "Renamed", enabled: true, revoked_at: null, rotated_to: null });
  });

  it("O04: nobody makes a key that belongs to a personal organization", async () => {
    await newOrganization(owner);
    const page = await make(owner, { owner: "organization" });
    expect([page.status, keyOn(page)]).toEqual([400, ""]);
    expect(page.html).toMatch(/id="owner-problem"/);
  });

  it("Q03: only by forms of these pages: no other site, purpose, browser or bare address does it", async () => {
    const { key, path } = await madeKey(owner);
    const before = await rowOf(key);
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    const page = await open(owner, path);
    const tokens = await tokensOf(await newMember());
    for (const action of ["name", "limits", "enabled", "rotate"] as const) {
      const other = hiddenFields(page, `${path}/${action === "name" ? "limits" : "name"}`)["form"] ?? "";
      const answers = [
        await owner.browser.submit(page, `${path}/${action}`, { overlap: "0" }, foreign),
        await owner.browser.submit(page, `${path}/${action}`, { form: "" }),
        await owner.browser.submit(page, `${path}/${action}`, { form: other }),
        await owner.browser.submit(page, `${path}/${action}`, { form: tokens[action] ?? "" }),
      ];
      expect(answers.map((answer) => pageOf(answer).status)).toEqual([403, 403, 403, 403]);
      expect((await owner.browser.send(`${path}/${action}?overlap=0&enabled=no&name=x`)).status).toBe(404);
    }
    const question = await open(owner, `${path}/revoke?form=${tokens["revoke"]}`);
    expect(pageOf(await owner.browser.submit(question, `${path}/revoke`, {}, foreign)).status).toBe(403);
    const form = await open(owner, NEW);
    expect(pageOf(await owner.browser.submit(form, NEW, { name: "x" }, foreign)).status).toBe(403);
    expect(await rowOf(key)).toEqual({ ...before, expires: expect.anything() });
    expect((await rowsOf(owner)).map(({ id }) => id)).toEqual([before.id]);
  });
});
