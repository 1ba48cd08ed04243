import { beforeEach, describe, expect, it } from "vitest";
import { hiddenFields, newAddress, pageOf, textOf, type Page } from "../../support/browsing.ts";
import { origin, request, resetStats } from "../../support/gateway.ts";
import { definition, ownNamespace, registryTrail, versionsIn } from "../../support/publishing.ts";
import { addServer, newWord, registryRequests } from "../../support/registry.ts";
import { listed, openPage, pathOf, PUBLISH, REGISTRY, RICH, stranger } from "../../support/registry-pages.ts";
import { newMember, newOrganization, OWN_FORM, type Member } from "../../support/organizations.ts";

let member: Member;
let tenantId: string;
let word: string;
beforeEach(async () => {
  member = await newMember();
  ({ tenantId } = member.person);
  word = newWord();
});

const open = (path: string, by: Pick<Member, "browser"> = member): Promise<Page> => openPage(by, path);

describe("the registry of an organization", () => {
  it("says what to do when there is nothing in it", async () => {
    const page = await open(REGISTRY);
    expect(textOf(page.html)).toContain("This registry has no servers yet");
    expect(page.html).toContain(`href="${PUBLISH}"`);
  });

  it("is a list by name of the latest versions, fifty at a time, without deleted ones and those of others", async () => {
    const names = Array.from({ length: 52 }, (_, index) => `com.example/${word}-${String(index).padStart(2, "0")}`);
    for (const name of names)
      await addServer({ tenantId, name, versions: [{ version: "1.0.0" }, { version: "1.1.0" }] });
    await addServer({ tenantId, name: `com.example/${word}-deleted`, versions: [{ status: "deleted" }] });
    await addServer({ tenantId: (await newMember()).person.tenantId, name: `com.example/${word}-foreign` });
    await resetStats();
    const first = await open(REGISTRY);
    expect(await registryRequests()).toHaveLength(1);
    expect(listed(first)).toEqual(names.slice(0, 50));
    const more = /href="([^"]*cursor=[^"]*)" rel="next"/.exec(first.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const second = await open(more);
    expect(listed(second)).toEqual(names.slice(50));
    expect(second.html).not.toContain('rel="next"');
  });

  it("is searched, with mistakes in the words and with filters that stay on the page", async () => {
    await addServer({ tenantId, name: `com.example/github-${word}`, versions: [{ definition: RICH }] });
    await addServer({ tenantId, name: `com.example/other-${word}` });
    expect(listed(await open(`${REGISTRY}?q=githb`))).toEqual([`com.example/github-${word}`]);
    const filtered = await open(
      `${REGISTRY}?${new URLSearchParams({ q: word, transport: "stdio", package: "npm", status: "active" }).toString()}`,
    );
    expect(listed(filtered)).toEqual([`com.example/github-${word}`]);
    for (const value of ["stdio", "npm", "active"])
      expect(filtered.html).toMatch(new RegExp(`<option value="${value}" selected`));
    const none = await open(`${REGISTRY}?q=${word}&package=pypi`);
    expect(textOf(none.html)).toContain("No servers match");
  });

  it("P08: answers a search or a cursor that cannot be with what is wrong, not with a fault", async () => {
    const long = await open(`${REGISTRY}?q=${"x".repeat(201)}`);
    expect([long.status, textOf(long.html)]).toEqual([400, expect.stringContaining("at most 200 characters")]);
    for (const query of ["cursor=nonsense", "q=x&cursor=nonsense", "cursor=%00"])
      expect((await open(`${REGISTRY}?${query}`)).status).toBe(400);
    for (const q of ["%", "_", "'", "%25%25", "\\", "a'b & c | !", ":*"])
      expect((await open(`${REGISTRY}?${new URLSearchParams({ q }).toString()}`)).status).toBe(200);
  });

  it("O02: is for members, who change between their organizations", async () => {
    const organization = await newOrganization(member);
    await addServer({ tenantId: organization, name: `com.example/${word}` });
    const page = await open(`${REGISTRY}?tenant=${organization}`);
    expect(listed(page)).toEqual([`com.example/${word}`]);
    expect(listed(await open(`${REGISTRY}?tenant=${tenantId}`))).toEqual([]);
    const outsider = await newMember();
    for (const path of [
      `${REGISTRY}?tenant=${organization}`,
      `${pathOf(`com.example/${word}`)}?tenant=${organization}`,
      `${PUBLISH}?tenant=${organization}`,
    ]) {
      expect((await open(path)).status).toBe(200);
      expect((await open(path, outsider)).status).toBe(404);
      expect((await open(path, stranger())).url.pathname).toBe("/sign-in");
    }
  });
});

describe("the page of a server", () => {
  it("says what it is, how to install it, its versions, and its readme", async () => {
    const name = `com.example/${word}`;
    await addServer({
      tenantId,
      name,
      versions: [
        { version: "1.0.0", status: "deprecated", statusMessage: "Use 2.0.0" },
        { version: "2.0.0", definition: RICH },
      ],
    });
    await resetStats();
    const page = await open(pathOf(name));
    expect(await registryRequests()).toHaveLength(1);
    const text = textOf(page.html);
    for (const shown of [
      "Weather for everybody",
      name,
      "Members of the organization only",
      "https://mcp.example.org/mcp",
      "X-Place (required)",
      "npm @example/weather 2.0.0",
    ])
      expect(text).toContain(shown);
    expect(page.html).toContain(
      '<a href="https://docs.example.com/" rel="nofollow noopener">Docs</a> &lt;script&gt;alert(1)&lt;/script&gt;',
    );
    expect(page.html).toContain("<h3>Weather</h3>");
    expect(page.html).toContain("<strong>tomorrow&#39;s</strong>");
    expect(page.html).toMatch(/href="vscode:mcp\/install\?%7B/);
    expect(page.html).toMatch(/href="cursor:\/\/anysphere\.cursor-deeplink\/mcp\/install\?name=/);
    expect(text).toContain(
      `claude mcp add --transport http ${word} https://mcp.example.org/mcp --header 'X-Place: YOUR_X-PLACE'`.replace(
        "YOUR_X-PLACE",
        "YOUR_X_PLACE",
      ),
    );
    const old = await open(`${pathOf(name)}?version=1.0.0`);
    expect(textOf(old.html)).toContain("This version is deprecated. Use 2.0.0");
    expect(textOf(old.html)).toContain("Version 1.0.0 is not the latest one");
    expect((await open(`${pathOf(name)}?version=3.0.0`)).status).toBe(404);
  });

  it("lists a hundred versions and says that there are more, whichever is looked at", async () => {
    const name = `com.example/${word}`;
    const at = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString();
    const versions = Array.from({ length: 102 }, (_, index) => ({ version: `1.0.${index}`, at: at(index) }));
    await addServer({ tenantId, name, versions });
    for (const [query, shown] of [
      ["", "1.0.101"],
      ["?version=1.0.0", "1.0.0"],
    ] as const) {
      await resetStats();
      const page = await open(`${pathOf(name)}${query}`);
      expect(await registryRequests()).toHaveLength(1);
      expect(/aria-current="true"><bdi>([^<]*)/.exec(page.html)?.[1]).toBe(shown);
      expect(page.html.match(/<li><a [^>]*version=1\.0\./g)).toHaveLength(100);
      expect(textOf(page.html)).toContain("Older versions are available through the API");
    }
    expect((await open(`${pathOf(name)}?version=%00`)).status).toBe(404);
  });

  it("that is behind this gateway leads to it and nowhere else", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, gatewaySlug: "weather", versions: [{ definition: RICH }] });
    const text = textOf((await open(pathOf(name))).html);
    expect(text).toContain(`claude mcp add --transport http ${word} ${origin}/mcp/weather`);
    expect(text).not.toContain("mcp.example.org");
    expect(text).not.toContain("@example/weather");
  });

  it.each([
    "com.example",
    "com.example%2F",
    "%2e%2e%2Fx",
    "com.example%2Fa%2Fb",
    "com.example%2F%00",
    "%",
    "com.example%2F<b>",
  ])("P08: is not found for %s", async (segment) => {
    for (const base of ["/registry", REGISTRY]) expect((await open(`${base}/${segment}`)).status).toBe(404);
  });
});

describe("what is shown to everybody", () => {
  it("is the servers that were made public, with their page, and nothing of the others", async () => {
    const [shown, hidden] = [`com.example/${word}-shown`, `com.example/${word}-hidden`];
    await addServer({ tenantId, name: shown, isPublic: true, versions: [{ definition: RICH }] });
    await addServer({ tenantId, name: hidden });
    const list = await open(`/registry?q=${word}`, stranger());
    expect(listed(list)).toEqual([shown]);
    expect(list.html).not.toContain("Deleted</option>");
    const page = await open(pathOf(shown, "/registry"), stranger());
    expect(textOf(page.html)).toContain("Weather for everybody");
    expect(page.html).not.toContain("<form");
    expect((await open(pathOf(hidden, "/registry"), stranger())).status).toBe(404);
    expect((await open(pathOf(hidden, "/registry"))).status).toBe(404);
    for (const path of ["/registry", pathOf(shown, "/registry")]) {
      const { headers } = await open(path, stranger());
      expect(headers.get("content-security-policy")).toMatch(
        /^default-src 'none'; style-src 'nonce-[\w-]+'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
      );
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });

  it("does not have deleted ones, whatever is asked for", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, isPublic: true, versions: [{ status: "deleted" }] });
    expect(listed(await open(`/registry?q=${word}&status=deleted`, stranger()))).toEqual([]);
    expect((await open(pathOf(name, "/registry"), stranger())).status).toBe(404);
  });

  it("is limited for one address", async () => {
    const headers = { "cf-connecting-ip": newAddress() };
    const statuses: number[] = [];
    for (let count = 0; count < 123; count++) {
      const answer = await request("/registry/nothing", { headers });
      await answer.body?.cancel();
      statuses.push(answer.status);
      if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(statuses.slice(0, 120).every((status) => status === 404)).toBe(true);
    expect(statuses).toContain(429);
  });
});

describe("the form for publishing", () => {
  const send = async (text: string, fields: Record<string, string> = {}, { browser } = member) =>
    pageOf(
      await browser.submit(pageOf(await browser.open(PUBLISH)), PUBLISH, {
        tenant: tenantId,
        definition: text,
        ...fields,
      }),
    );

  it("says how to come to a namespace, or which ones there are", async () => {
    expect(textOf((await open(PUBLISH)).html)).toContain("To prove one, use POST /api/v1/registry/namespaces");
    const namespace = await ownNamespace(tenantId);
    expect(textOf((await open(PUBLISH)).html)).toContain(`can publish in ${namespace}`);
  });

  it("checks without publishing, names all problems with their places, and keeps what was entered", async () => {
    const namespace = await ownNamespace(tenantId);
    const good = JSON.stringify(definition(`${namespace}/weather`));
    const checked = await send(good, { do: "check" });
    expect([checked.status, textOf(checked.html)]).toEqual([200, expect.stringContaining("server.json is valid")]);
    const bad = JSON.stringify({
      ...definition(`${namespace}/weather`),
      version: "^1",
      description: "",
      websiteUrl: "javascript:alert(1)",
    });
    for (const what of ["check", "publish"]) {
      const page = await send(bad, { do: what });
      expect(page.status).toBe(400);
      for (const pointer of ["/version", "/description", "/websiteUrl"])
        expect(page.html).toContain(`<code>${pointer}</code>`);
      expect(page.html).toContain(bad.replaceAll('"', "&quot;"));
    }
    expect(textOf((await send("{", { do: "check" })).html)).toContain("This is not valid JSON");
    expect(await versionsIn(tenantId, `${namespace}/weather`)).toEqual([]);
  });

  it("publishes as the person, who is led to the page of the version", async () => {
    const name = `${await ownNamespace(tenantId)}/weather`;
    const page = await send(JSON.stringify(definition(name)), { do: "publish" });
    expect(page.url.pathname).toBe(pathOf(name));
    expect(textOf(page.html)).toContain("The version is published");
    expect(await registryTrail(`${name}@1.0.0`)).toMatchObject([
      { event: "registry.published", tenant_id: tenantId, user_id: member.person.id, credential_kind: "session" },
    ]);
    const again = await send(JSON.stringify(definition(name)), { do: "publish" });
    expect([again.status, textOf(again.html)]).toEqual([
      409,
      expect.stringContaining("This version is already published"),
    ]);
  });

  it("O02: publishes in nobody else's namespace and in no organization of others", async () => {
    const other = await newMember();
    const name = `${await ownNamespace(other.person.tenantId)}/weather`;
    const refused = await send(JSON.stringify(definition(name)), { do: "publish" });
    expect([refused.status, textOf(refused.html)]).toEqual([
      403,
      expect.stringContaining("does not own the namespace"),
    ]);
    expect(
      (await send(JSON.stringify(definition(name)), { do: "publish", tenant: other.person.tenantId })).status,
    ).toBe(404);
    expect(await versionsIn(other.person.tenantId, name)).toEqual([]);
  });

  it("Q03: takes nothing without its token, and nothing too large", async () => {
    const name = `${await ownNamespace(tenantId)}/weather`;
    const fields = { tenant: tenantId, definition: JSON.stringify(definition(name)), do: "publish" };
    expect(pageOf(await member.browser.post(PUBLISH, fields, OWN_FORM)).status).toBe(403);
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    const form = hiddenFields(await open(PUBLISH), PUBLISH);
    expect(pageOf(await member.browser.post(PUBLISH, { ...form, ...fields }, foreign)).status).toBe(403);
    expect((await send("x".repeat(70_000))).status).toBe(413);
    expect(await versionsIn(tenantId, name)).toEqual([]);
  });
});
