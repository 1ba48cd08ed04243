import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { serverResponse } from "../../support/registry-shapes.ts";
import { db, newKey, resetStats, stats } from "../../support/gateway.ts";
import { newClient, newPerson, tokensFor } from "../../support/oauth.ts";
import { organizationOf } from "../../support/keys.ts";
import {
  ask,
  definition,
  newDomain,
  newLegacyToken,
  newPublisher,
  ownNamespace,
  problemOf,
  publishTo,
  registryTrail,
  versionsIn,
} from "../../support/publishing.ts";

describe("publishing", () => {
  it("R19: answers with the version in the shape of the API, on both paths", async () => {
    const { key, namespace } = await newPublisher();
    for (const [root, version] of [
      ["/v0.1", "1.0.0"],
      ["/v0", "1.1.0"],
    ] as const) {
      const answer = await publishTo(definition(`${namespace}/weather`, { version }), { key }, root);
      expect(answer.status).toBe(200);
      const body = serverResponse.parse(await answer.json());
      expect(body.server).toMatchObject({ name: `${namespace}/weather`, version });
      expect(body._meta["io.modelcontextprotocol.registry/official"]).toMatchObject({
        status: "active",
        isLatest: true,
      });
    }
  });

  it("takes an API key as a bearer, too, and shows the publisher what is not public", async () => {
    const { key, namespace } = await newPublisher();
    const name = `${namespace}/weather`;
    expect((await publishTo(definition(name), { token: key })).status).toBe(200);
    const path = `/v0.1/servers/${encodeURIComponent(name)}/versions/latest`;
    expect((await ask("GET", path, undefined, { key })).status).toBe(200);
    expect((await ask("GET", path, undefined)).status).toBe(404);
  });

  it("leaves a row in the audit log that says who it was", async () => {
    const { key, keyId, userId, tenantId, namespace } = await newPublisher();
    await publishTo(definition(`${namespace}/weather`), { key });
    const [row, ...more] = await registryTrail(`${namespace}/weather@1.0.0`);
    expect(more).toEqual([]);
    expect(row).toMatchObject({
      event: "registry.published",
      tenant_id: tenantId,
      user_id: userId,
      credential_kind: "api_key",
      credential_id: keyId,
    });
  });

  it("is one request to Postgres for a new server, and two for a further version", async () => {
    const { key, namespace } = await newPublisher();
    await publishTo(definition(`${namespace}/first`), { key });
    for (const [version, count] of [
      ["1.0.0", 1],
      ["1.0.1", 2],
    ] as const) {
      await resetStats();
      expect((await publishTo(definition(`${namespace}/weather`, { version }), { key })).status).toBe(200);
      expect(
        (await stats()).log.filter(({ to, what }) => to === "neon" && JSON.stringify(what).includes("registry_")),
      ).toHaveLength(count);
    }
  });

  it("refuses a version that exists, as the official registry does, and changes nothing", async () => {
    const { key, namespace } = await newPublisher();
    const name = `${namespace}/weather`;
    await publishTo(definition(name), { key });
    const again = await problemOf(await publishTo(definition(name, { description: "Another" }), { key }));
    expect(again).toMatchObject({ status: 400, code: "version_exists", error: again.detail });
    const shown = await ask("GET", `/v0.1/servers/${encodeURIComponent(name)}/versions/1.0.0`, undefined, { key });
    expect((await shown.json<{ server: { description: string } }>()).server.description).toBe("Weather for any place");
  });

  it.each([
    [["1.0.0", "0.9.0"], "1.0.0"],
    [["1.0.0-rc.1", "1.0.0", "1.0.0-rc.2"], "1.0.0"],
    [["1.9.0", "1.10.0", "1.2.0"], "1.10.0"],
    [["2024.1", "2023.9"], "2023.9"],
    [["nightly-3", "0.0.1", "nightly-9"], "0.0.1"],
  ])("of %j has %s as the latest", async (versions, latest) => {
    const { key, tenantId, namespace } = await newPublisher();
    for (const version of versions)
      expect((await publishTo(definition(`${namespace}/w`, { version }), { key })).status).toBe(200);
    const rows = await versionsIn(tenantId, `${namespace}/w`);
    expect(rows.filter((row) => row.is_latest).map(({ version }) => version)).toEqual([latest]);
  });
});

describe("what is not published", () => {
  it("says everything that is wrong at once, with pointers", async () => {
    const { key, namespace, tenantId } = await newPublisher();
    const bad = {
      ...definition(`${namespace}/weather`, { version: "^1.0.0", description: "" }),
      websiteUrl: "http://example.com",
    };
    const answer = await publishTo(bad, { key });
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const body = await answer.json<{ code: string; error: string; errors: { pointer: string }[] }>();
    expect(body).toMatchObject({ code: "invalid_definition", error: expect.stringContaining("3 problems") });
    expect(body.errors.map(({ pointer }) => pointer).toSorted()).toEqual(["/description", "/version", "/websiteUrl"]);
    expect(await versionsIn(tenantId, `${namespace}/weather`)).toEqual([]);
  });

  it.each([
    ["P05: a script as the website", { websiteUrl: "javascript:alert(1)" }, "/websiteUrl"],
    ["P05: data as an icon", { icons: [{ src: "data:image/svg+xml,<svg onload=alert(1)>" }] }, "/icons/0/src"],
    ["P05: an icon without https", { icons: [{ src: "http://example.com/i.png" }] }, "/icons/0/src"],
    [
      "P07: a remote inside of somebody's network",
      { remotes: [{ type: "sse", url: "https://10.0.0.7/mcp" }] },
      "/remotes/0/url",
    ],
    [
      "P07: an argument that a shell would act on",
      {
        packages: [
          {
            registryType: "npm",
            identifier: "w",
            version: "1.0.0",
            transport: { type: "stdio" },
            packageArguments: [{ type: "positional", value: "x; curl evil" }],
          },
        ],
      },
      "/packages/0/packageArguments/0/value",
    ],
  ])("%s", async (_case, fields, pointer) => {
    const { key, namespace } = await newPublisher();
    const answer = await publishTo(definition(`${namespace}/weather`, fields), { key });
    expect(answer.status).toBe(422);
    expect((await answer.json<{ errors: { pointer: string }[] }>()).errors.map((one) => one.pointer)).toContain(
      pointer,
    );
  });

  it("P06: markup in a description is kept as text, for pages to escape", async () => {
    const { key, namespace } = await newPublisher();
    const text = "<img src=x onerror=alert(1)> {{constructor}} [a](javascript:b)";
    const answer = await publishTo(definition(`${namespace}/weather`, { description: text }), { key });
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    expect((await answer.json<{ server: { description: string } }>()).server.description).toBe(text);
  });

  it("O01: a server of a namespace that is another's or nobody's, and says how to claim it", async () => {
    const mine = await newPublisher();
    const other = await newPublisher();
    for (const namespace of [other.namespace, newDomain().namespace]) {
      const problem = await problemOf(await publishTo(definition(`${namespace}/weather`), { key: mine.key }));
      expect(problem).toMatchObject({ status: 403, code: "forbidden" });
      expect(problem.detail).toContain("/api/v1/registry/namespaces");
      expect(await versionsIn(mine.tenantId, `${namespace}/weather`)).toEqual([]);
    }
  });

  it("O01: anything without a credential that may publish", async () => {
    const reader = await newKey({ scopes: ["mcp-registry:read"] });
    const body = definition(`${newDomain().namespace}/weather`);
    expect((await publishTo(body, {})).status).toBe(401);
    expect((await publishTo(body, { key: "mrg_live_bad" })).status).toBe(401);
    expect((await publishTo(body, { key: reader.key })).status).toBe(403);
  });

  it("O02: by a person, in a namespace of the organization with a credential of their own tenant", async () => {
    const organization = await organizationOf("owner");
    const namespace = await ownNamespace(organization.id);
    const { key } = await newKey({ userId: organization.owner, scopes: ["mcp-registry:write"] });
    expect((await publishTo(definition(`${namespace}/weather`), { key })).status).toBe(403);
  });

  it("a name that looks like another tenant's, or the same in other letters", async () => {
    const [mine, other] = [await newPublisher(), await newPublisher()];
    const tail = crypto.randomUUID().slice(0, 8);
    await ownNamespace(other.tenantId, `com.acme-${tail}`);
    await ownNamespace(mine.tenantId, `com.acrne-${tail}`);
    expect((await publishTo(definition(`com.acme-${tail}/bill`), { key: other.key })).status).toBe(200);
    expect((await publishTo(definition(`com.acme-${tail}/Bill`), { key: other.key })).status).toBe(409);
    expect(await problemOf(await publishTo(definition(`com.acrne-${tail}/bi1l`), { key: mine.key }))).toMatchObject({
      status: 409,
      code: "conflict",
    });
  });

  it("a server that is mirrored from another registry", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    await db.execute(sql`insert into registry_server (tenant_id, name, skeleton, source_id)
      values (${tenantId}, ${`${namespace}/weather`}, 'x', ${crypto.randomUUID()}::uuid)`);
    expect((await publishTo(definition(`${namespace}/weather`), { key })).status).toBe(409);
  });

  it.each([
    ["{", 422],
    ["null", 422],
    [`"${"x".repeat(300_000)}"`, 413],
  ])("%# a body that is no definition", async (body, status) => {
    const { key } = await newPublisher();
    expect((await publishTo(body, { key })).status).toBe(status);
  });

  it("a body of another media type", async () => {
    const { key, namespace } = await newPublisher();
    const answer = await publishTo(definition(`${namespace}/w`), { key, headers: { "content-type": "text/plain" } });
    expect(answer.status).toBe(415);
  });
});

describe("namespaces below a namespace", () => {
  it.each([
    ["dns", 200],
    ["administrator", 200],
    ["http", 403],
  ])("proved by %s, answers %i", async (method, status) => {
    const { key, tenantId } = await newPublisher();
    const namespace = await ownNamespace(tenantId, undefined, { method });
    expect((await publishTo(definition(`${namespace}/weather`), { key })).status).toBe(200);
    expect((await publishTo(definition(`${namespace}.tools.deep/weather`), { key })).status).toBe(status);
    expect((await publishTo(definition(`${namespace}x/weather`), { key })).status).toBe(403);
  });

  it("belong to whoever has claimed them, not to whoever is above", async () => {
    const [above, below] = [await newPublisher(), await newPublisher()];
    await ownNamespace(below.tenantId, `${above.namespace}.tools`);
    expect((await publishTo(definition(`${above.namespace}.tools/w`), { key: above.key })).status).toBe(403);
    expect((await publishTo(definition(`${above.namespace}.tools/w`), { key: below.key })).status).toBe(200);
  });
});

describe("credentials for publishing", () => {
  it("R19: a token of the retired registry publishes for its owner, and does nothing else", async () => {
    const { userId, tenantId, namespace } = await newPublisher();
    const token = await newLegacyToken(userId);
    const name = `${namespace}/weather`;
    for (const asking of [{ token }, { key: token }]) {
      const version = "key" in asking ? "1.0.0" : "1.0.1";
      expect((await publishTo(definition(name, { version }), asking)).status).toBe(200);
    }
    const [row] = await registryTrail(`${name}@1.0.0`);
    expect(row).toMatchObject({ tenant_id: tenantId, user_id: userId, credential_kind: "legacy_token" });
    for (const path of ["/api/v1/servers", "/api/v1/keys", "/api/v1/registry/namespaces", "/v0.1/servers"])
      expect((await ask("GET", path, undefined, { token })).status).toBe(401);
  });

  it("O04: a token of the retired registry ends with its revocation and with its owner's ban", async () => {
    const { userId, namespace } = await newPublisher();
    const revoked = await newLegacyToken(userId, { revokedAt: new Date() });
    expect((await publishTo(definition(`${namespace}/w`), { token: revoked })).status).toBe(401);
    const token = await newLegacyToken(userId);
    await db.execute(sql`update "user" set banned = true where id = ${userId}`);
    expect((await publishTo(definition(`${namespace}/w`), { token })).status).toBe(401);
  });

  it("an OAuth access token with mcp-registry:write publishes for its tenant", async () => {
    const person = await newPerson();
    const namespace = await ownNamespace(`personal-${person.id}`);
    const { access_token: token } = await tokensFor(await newClient(), person, { scope: "mcp-registry:write" });
    expect((await publishTo(definition(`${namespace}/weather`), { token })).status).toBe(200);
  });

  it("two credentials at once are refused", async () => {
    const { key, namespace } = await newPublisher();
    expect((await publishTo(definition(`${namespace}/w`), { key, token: key })).status).toBe(400);
    const inUrl = await ask("POST", `/v0.1/publish?api_key=${key}`, definition(`${namespace}/w`), { key });
    expect(inUrl.status).toBe(400);
  });
});

describe("validation", () => {
  it("is for anyone, and says the same as publishing, also in the words of the official registry", async () => {
    const good = await ask("POST", "/v0/validate", definition("com.example/weather"));
    expect([good.status, await good.json()]).toEqual([200, { valid: true, problems: [], issues: [] }]);
    const bad = await ask(
      "POST",
      "/v0.1/validate",
      definition("com.example/weather", { packages: [{ registryType: "npm" }] }),
    );
    const body = await bad.json<{
      valid: boolean;
      problems: { pointer: string }[];
      issues: { path: string; severity: string }[];
    }>();
    expect(body.valid).toBe(false);
    expect(body.problems.map(({ pointer }) => pointer)).toContain("/packages/0/identifier");
    expect(body.issues).toContainEqual(
      expect.objectContaining({ path: "packages[0].identifier", severity: "error", type: "schema" }),
    );
  });

  it("takes what is not JSON for a definition with a problem", async () => {
    expect(await (await ask("POST", "/v0/validate", "{")).json()).toMatchObject({
      valid: false,
      problems: [{ pointer: "", code: "not_json" }],
    });
  });

  it("is limited for each address", async () => {
    const from = { headers: { "cf-connecting-ip": "198.51.100.77" } };
    const answers = await Promise.all(Array.from({ length: 70 }, () => ask("POST", "/v0/validate", "{}", from)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await ask("POST", "/v0/validate", "{}")).status).toBe(200);
  });
});
