import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, newKey, newUser } from "../../support/gateway.ts";
import { organizationOf } from "../../support/keys.ts";
import { newAdministrator } from "../../support/managed-clients.ts";
import { gatewayWith } from "../../support/oauth.ts";
import { outside, type Host } from "../../support/outside.ts";
import {
  ask,
  definition,
  newDomain,
  newPublisher,
  ownNamespace,
  problemOf,
  publishTo,
  registryTrail,
  type Asking,
} from "../../support/publishing.ts";
import { newSigner } from "../../support/signers.ts";

const NAMESPACES = "/api/v1/registry/namespaces";
const GITHUB = { GITHUB_CLIENT_ID: "example-app", GITHUB_CLIENT_SECRET: "example-secret" };

interface Shown {
  namespace: string;
  method: string;
  covers: string[];
  keys: string[];
}
interface Instructions {
  state: string;
  claim: string;
  proofs: {
    method: string;
    name?: string;
    type?: string;
    value?: string;
    url?: string;
    line?: string;
    account?: string;
  }[];
}

/** Somebody with a key that manages the namespaces of their own tenant. */
async function newOwner() {
  const { key, userId } = await newKey({ scopes: ["mcp-registry:read", "mcp-registry:write"] });
  return { key, userId, tenantId: `personal-${userId}` };
}

const begin = async (namespace: string, asking: Asking): Promise<Instructions> => {
  const answer = await ask("POST", NAMESPACES, { namespace }, asking);
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
};
const verify = (namespace: string, body: unknown, asking: Asking) =>
  ask("POST", `${NAMESPACES}/${namespace}/verify`, body, asking);
const listed = async (asking: Asking) =>
  (await (await ask("GET", NAMESPACES, undefined, asking)).json<{ namespaces: Shown[] }>()).namespaces;

/** Runs with a gateway outside of which there are these TXT records and hosts. */
const world = <T>(
  work: (gateway: NonNullable<Asking["gateway"]>, asked: string[]) => Promise<T>,
  {
    texts = {},
    hosts = {},
    addresses = {},
    settings = {},
  }: {
    texts?: Record<string, string[] | null>;
    hosts?: Record<string, Host>;
    addresses?: Record<string, string[] | null>;
    settings?: Record<string, string>;
  },
) => outside(hosts, ({ asked }) => work(gatewayWith(settings), asked), addresses, texts);

describe("claiming a domain's namespace", () => {
  it("by DNS: says the exact record, waits for it, and then publishes there and below", async () => {
    const { key, tenantId } = await newOwner();
    const { domain, namespace } = newDomain();
    const { claim, proofs, state } = await begin(namespace, { key });
    expect(state).toBe("unproved");
    expect(claim).toMatch(/^mcp-gateway-claim=[\w-]{43}$/);
    expect(proofs).toEqual([
      { method: "dns", name: domain, type: "TXT", value: claim },
      { method: "http", url: `https://${domain}/.well-known/mcp-registry-auth`, line: claim },
    ]);
    const texts: Record<string, string[]> = { [domain]: ["v=spf1 -all"] };
    await world(
      async (gateway) => {
        const early = await problemOf(await verify(namespace, {}, { key, gateway }));
        expect(early).toMatchObject({ status: 403, detail: expect.stringContaining(claim) });
        expect(await listed({ key, gateway })).toEqual([]);
        texts[domain] = ["v=spf1 -all", `  ${claim} `];
        const shown = await (await verify(namespace, { method: "dns" }, { key, gateway })).json<Shown>();
        expect(shown).toMatchObject({
          namespace,
          method: "dns",
          covers: [`${namespace}/*`, `${namespace}.*/*`],
          keys: [],
        });
      },
      { texts },
    );
    expect((await begin(namespace, { key })).state).toBe("owned");
    expect((await publishTo(definition(`${namespace}.tools/weather`), { key })).status).toBe(200);
    expect((await registryTrail(namespace)).map(({ event, tenant_id, detail }) => [event, tenant_id, detail])).toEqual([
      ["registry.namespace_proved", tenantId, { method: "dns" }],
    ]);
  });

  it("by a file of the web server, which covers that name only, and takes the keys beside the claim", async () => {
    const { key } = await newOwner();
    const { domain, namespace } = newDomain();
    const { claim } = await begin(namespace, { key });
    const signer = await newSigner("ed25519");
    const file: Host = () => new Response(`${signer.record}\r\n${claim}\n`);
    await world(
      async (gateway, asked) => {
        const shown = await (await verify(namespace, { method: "http" }, { key, gateway })).json<Shown>();
        expect(shown).toMatchObject({
          method: "http",
          covers: [`${namespace}/*`],
          keys: [signer.record.slice("v=MCPv1; ".length)],
        });
        expect(asked).toEqual([`https://${domain}/.well-known/mcp-registry-auth`]);
      },
      { hosts: { [domain]: file } },
    );
  });

  it("by a signature of the claim with a key that the domain publishes already", async () => {
    const { key } = await newOwner();
    const { domain, namespace } = newDomain();
    const { claim } = await begin(namespace, { key });
    const [signer, stranger] = [await newSigner("ecdsap384"), await newSigner("ecdsap384")];
    await world(
      async (gateway) => {
        const forged = await problemOf(
          await verify(namespace, { signature: await stranger.sign(claim) }, { key, gateway }),
        );
        expect(forged).toMatchObject({
          status: 403,
          detail: expect.stringContaining("not by any of the published keys"),
        });
        expect(
          (await verify(namespace, { signature: await signer.sign("another text") }, { key, gateway })).status,
        ).toBe(403);
        expect((await verify(namespace, { signature: await signer.sign(claim) }, { key, gateway })).status).toBe(200);
      },
      { texts: { [domain]: [signer.record] } },
    );
  });

  it("O01: is not done by a key record alone, nor by the claim of another tenant", async () => {
    const [mine, other] = [await newOwner(), await newOwner()];
    const { domain, namespace } = newDomain();
    const { claim } = await begin(namespace, { key: other.key });
    const signer = await newSigner("ed25519");
    await world(
      async (gateway) => {
        expect((await verify(namespace, {}, { key: mine.key, gateway })).status).toBe(403);
        const signature = await signer.sign(claim);
        expect((await verify(namespace, { signature }, { key: mine.key, gateway })).status).toBe(403);
        expect((await verify(namespace, {}, { key: other.key, gateway })).status).toBe(200);
      },
      { texts: { [domain]: [signer.record, claim] } },
    );
  });

  it.each<[string, Host | undefined, string[]]>([
    ["redirects", () => Response.redirect("https://elsewhere.example.com/", 302), ["93.184.216.34"]],
    ["is too long", () => new Response("x\n".repeat(4_000)), ["93.184.216.34"]],
    ["is missing", () => new Response("no", { status: 404 }), ["93.184.216.34"]],
    ["does not answer", undefined, ["93.184.216.34"]],
    ["is inside of a network", () => new Response("v=MCPv1"), ["10.0.0.7"]],
    ["is partly inside of a network", () => new Response("v=MCPv1"), ["93.184.216.34", "127.0.0.1"]],
  ])("refuses a file that %s", async (what, host, addresses) => {
    const { key } = await newOwner();
    const { domain, namespace } = newDomain();
    const { claim } = await begin(namespace, { key });
    const serving: Host = async (request) => {
      const answer = await (host ?? (() => Promise.reject(new TypeError("fetch failed"))))(request);
      return what === "is too long" ? new Response(`${claim}\n${await answer.text()}`) : answer;
    };
    await world(
      async (gateway, asked) => {
        const problem = await problemOf(await verify(namespace, { method: "http" }, { key, gateway }));
        expect(problem).toMatchObject({ status: 403, code: "forbidden" });
        expect(asked.filter((url) => url !== `https://${domain}/.well-known/mcp-registry-auth`)).toEqual([]);
        if (what.includes("inside")) expect(asked).toEqual([]);
      },
      { hosts: { [domain]: serving }, addresses: { [domain]: addresses } },
    );
  });

  it("can be tried again when the resolver does not answer", async () => {
    const { key } = await newOwner();
    const { domain, namespace } = newDomain();
    await world(
      async (gateway) => {
        const answer = await verify(namespace, {}, { key, gateway });
        expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
      },
      { texts: { [domain]: null } },
    );
  });

  it.each(["com", "io.github", "com..example", "com.example/x", "-com.example", "com.exämple", "", "x".repeat(300)])(
    "refuses %j, which nobody can prove",
    async (namespace) => {
      const { key } = await newOwner();
      expect((await ask("POST", NAMESPACES, { namespace }, { key })).status).toBe(400);
    },
  );

  it("is done once: of two tenants at the same time one has it", async () => {
    const people = [await newOwner(), await newOwner()];
    const { domain, namespace } = newDomain();
    const claims = await Promise.all(people.map(async ({ key }) => (await begin(namespace, { key })).claim));
    await world(
      async (gateway) => {
        const answers = await Promise.all(people.map(({ key }) => verify(namespace, {}, { key, gateway })));
        expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
      },
      { texts: { [domain]: claims } },
    );
  });
});

describe("a namespace of another tenant", () => {
  it("O03: is 409 without saying whose, also what is below it, and is not in anybody else's list", async () => {
    const [mine, other] = [await newOwner(), await newPublisher()];
    for (const namespace of [other.namespace, `${other.namespace}.tools`, other.namespace.toUpperCase()]) {
      const problem = await problemOf(await ask("POST", NAMESPACES, { namespace }, { key: mine.key }));
      expect(problem).toMatchObject({ status: 409, code: "conflict" });
      expect(problem.detail).not.toContain(other.tenantId);
      expect((await verify(namespace, {}, { key: mine.key })).status).toBe(409);
    }
    expect(await listed({ key: mine.key })).toEqual([]);
    expect((await ask("DELETE", `${NAMESPACES}/${other.namespace}`, undefined, { key: mine.key })).status).toBe(404);
    expect(await listed({ key: other.key })).toMatchObject([{ namespace: other.namespace }]);
  });
});

describe("the namespace of a GitHub account", () => {
  const signedUp = (userId: string, accountId: string) =>
    db.execute(sql`insert into account (id, account_id, provider_id, user_id, created_at, updated_at)
      values (${crypto.randomUUID()}, ${accountId}, 'github', ${userId}, now(), now())`);
  const hosts = (id: number): Record<string, Host> => ({
    "api.github.com": (request) => Response.json({ id, login: new URL(request.url).pathname.split("/").at(-1) }),
  });

  it("is proved by signing in with that account, and by no other", async () => {
    const { key, userId } = await newOwner();
    const login = `octo-${crypto.randomUUID().slice(0, 8)}`;
    const id = Math.floor(Math.random() * 1e9) + 1;
    expect((await begin(`io.github.${login}`, { key })).proofs).toEqual([{ method: "github", account: login }]);
    await world(
      async (gateway) => {
        expect((await verify(`io.github.${login}`, {}, { key, gateway })).status).toBe(403);
        await signedUp(userId, String(id + 1));
        expect((await verify(`io.github.${login}`, {}, { key, gateway })).status).toBe(403);
        await signedUp(userId, String(id));
        const shown = await (await verify(`io.github.${login.toUpperCase()}`, {}, { key, gateway })).json<Shown>();
        expect(shown).toMatchObject({
          method: "github",
          covers: [`io.github.${login}/*`],
          keys: [],
          githubId: String(id),
        });
      },
      { hosts: hosts(id), settings: GITHUB },
    );
  });

  it("cannot be proved where GitHub is not set up", async () => {
    const { key } = await newOwner();
    expect(await problemOf(await verify("io.github.octo-example", {}, { key }))).toMatchObject({
      status: 501,
      code: "not_implemented",
    });
  });
});

describe("an administrator", () => {
  it("assigns a namespace without a proof, and takes it from who has it only when that is said", async () => {
    const { key } = await newAdministrator();
    const [first, second] = [await newPublisher(), await newUser()];
    const path = `${NAMESPACES}/${first.namespace}`;
    expect((await ask("PUT", path, { tenantId: second.tenantId }, { key })).status).toBe(409);
    await publishTo(definition(`${first.namespace}/w`), { key: first.key });
    await db.execute(sql`update registry_server set is_public = true where name = ${`${first.namespace}/w`}`);
    await db.execute(sql`update registry_version set is_public = true where name = ${`${first.namespace}/w`}`);
    const shown = await (await ask("PUT", path, { tenantId: second.tenantId, replace: true }, { key })).json<Shown>();
    expect(shown).toMatchObject({
      method: "administrator",
      covers: [`${first.namespace}/*`, `${first.namespace}.*/*`],
    });
    expect(await listed({ key: first.key })).toEqual([]);
    expect((await publishTo(definition(`${first.namespace}/w`, { version: "2.0.0" }), { key: first.key })).status).toBe(
      403,
    );
    const { rows } = await db.execute(
      sql`select is_public from registry_version where name = ${`${first.namespace}/w`}`,
    );
    expect(rows).toEqual([{ is_public: false }]);
    expect((await registryTrail(first.namespace)).map(({ event, tenant_id }) => [event, tenant_id])).toEqual([
      ["registry.namespace_assigned", second.tenantId],
    ]);
    expect((await ask("PUT", path, { tenantId: "nobody" }, { key })).status).toBe(404);
  });

  it("assigns one that stays assigned when its owner adds the keys of its domain", async () => {
    const { key } = await newAdministrator();
    const { key: own, tenantId } = await newOwner();
    const { domain, namespace } = newDomain();
    await ask("PUT", `${NAMESPACES}/${namespace}`, { tenantId }, { key });
    const signer = await newSigner("ed25519");
    const { claim, state } = await begin(namespace, { key: own });
    expect(state).toBe("owned");
    const file: Host = () => new Response(`${claim}\n${signer.record}\n`);
    await world(
      async (gateway) => {
        const shown = await (await verify(namespace, { method: "http" }, { key: own, gateway })).json<Shown>();
        expect(shown).toMatchObject({ method: "administrator", covers: [`${namespace}/*`, `${namespace}.*/*`] });
        expect(shown.keys).toHaveLength(1);
      },
      { hosts: { [domain]: file } },
    );
  });

  it("assigns one that nobody can prove", async () => {
    const { key } = await newAdministrator();
    const { key: own, tenantId } = await newOwner();
    const namespace = `acme-${crypto.randomUUID().slice(0, 8)}`;
    expect((await ask("PUT", `${NAMESPACES}/${namespace}`, { tenantId }, { key })).status).toBe(200);
    expect((await publishTo(definition(`${namespace}/weather`), { key: own })).status).toBe(200);
  });

  it("O02: is nobody who has only the scope to publish", async () => {
    const { key, tenantId } = await newOwner();
    expect((await ask("PUT", `${NAMESPACES}/${newDomain().namespace}`, { tenantId }, { key })).status).toBe(403);
  });
});

describe("the namespaces of an organization", () => {
  it("O02: are managed by its owners and administrators, not by members who may publish", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    const namespace = await ownNamespace(organization.id);
    const keyOf = async (userId: string) => {
      const { key, id } = await newKey({ userId, scopes: ["mcp-registry:read", "mcp-registry:write"] });
      await db.execute(sql`update api_key_policy set tenant_id = ${organization.id} where key_id = ${id}`);
      return key;
    };
    const member = await keyOf(organization.member);
    expect((await publishTo(definition(`${namespace}/weather`), { key: member })).status).toBe(200);
    expect(await listed({ key: member })).toHaveLength(1);
    expect((await ask("POST", NAMESPACES, { namespace: newDomain().namespace }, { key: member })).status).toBe(403);
    expect((await verify(namespace, {}, { key: member })).status).toBe(403);
    expect((await ask("DELETE", `${NAMESPACES}/${namespace}`, undefined, { key: member })).status).toBe(403);
    expect((await begin(newDomain().namespace, { key: await keyOf(organization.owner) })).state).toBe("unproved");
    expect(
      (await ask("DELETE", `${NAMESPACES}/${namespace}`, undefined, { key: await keyOf(organization.admin) })).status,
    ).toBe(200);
  });
});

describe("giving a namespace back", () => {
  it("hides what was shown to everybody under it, but for what another claim of the tenant covers", async () => {
    const { key, tenantId, namespace } = await newPublisher();
    await ownNamespace(tenantId, `${namespace}.kept`);
    const names = [`${namespace}/w`, `${namespace}.tools/w`, `${namespace}.kept/w`];
    for (const name of names) await publishTo(definition(name), { key });
    await db.execute(sql`update registry_server set is_public = true where tenant_id = ${tenantId}`);
    await db.execute(sql`update registry_version set is_public = true where tenant_id = ${tenantId}`);
    const seen = () =>
      Promise.all(
        names.map(
          async (name) =>
            (await ask("GET", `/v0.1/servers/${encodeURIComponent(name)}/versions/latest`, undefined)).status,
        ),
      );
    expect(await seen()).toEqual([200, 200, 200]);
    expect(await (await ask("DELETE", `${NAMESPACES}/${namespace}`, undefined, { key })).json()).toEqual({
      released: true,
    });
    expect(await seen()).toEqual([404, 404, 200]);
    expect((await ask("DELETE", `${NAMESPACES}/${namespace}`, undefined, { key })).status).toBe(404);
    expect((await registryTrail(namespace)).map(({ event }) => event)).toEqual(["registry.namespace_released"]);
    expect(
      (await ask("GET", `/v0.1/servers/${encodeURIComponent(names[0] ?? "")}/versions/latest`, undefined, { key }))
        .status,
    ).toBe(200);
  });
});
