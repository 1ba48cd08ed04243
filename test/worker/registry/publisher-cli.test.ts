import { sql } from "drizzle-orm";
import { exportJWK, generateKeyPair, SignJWT, type JWK } from "jose";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { signPublisherToken } from "../../../src/registry/publishing/publisher-token.ts";
import { config, db, newKey, newUser, origin, rpc } from "../../support/gateway.ts";
import { gatewayWith } from "../../support/oauth.ts";
import { outside, type Host } from "../../support/outside.ts";
import {
  ask,
  definition,
  newDomain,
  ownNamespace,
  problemOf,
  publishTo,
  registryTrail,
  serverPath,
  versionsIn,
  type Asking,
} from "../../support/publishing.ts";
import { newSigner, type Signer } from "../../support/signers.ts";

const GITHUB = { GITHUB_CLIENT_ID: "example-app", GITHUB_CLIENT_SECRET: "example-secret" };
type Gateway = NonNullable<Asking["gateway"]>;

/** What `mcp-publisher login dns|http` sends, now unless told. */
const login = async (gateway: Gateway, method: "dns" | "http", domain: string, signer: Signer, at = Date.now()) => {
  const timestamp = `${new Date(at).toISOString().slice(0, 19)}Z`;
  const body = { domain, timestamp, signed_timestamp: await signer.sign(timestamp) };
  return ask("POST", `/v0/auth/${method}`, body, { gateway, headers: { accept: "application/json" } });
};

async function tokenIn(answer: Response): Promise<string> {
  if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
  const { registry_token: token, expires_at: end } = await answer.json<{
    registry_token: string;
    expires_at: number;
  }>();
  expect(end * 1000 - Date.now()).toBeGreaterThan(280_000);
  expect(end * 1000 - Date.now()).toBeLessThanOrEqual(300_000);
  return token;
}

/** A tenant with a namespace whose domain publishes this key, in both places. */
async function withDomain<T>(
  signer: Signer,
  work: (at: {
    gateway: Gateway;
    domain: string;
    namespace: string;
    tenantId: string;
    asked: string[];
    texts: Record<string, string[] | null>;
  }) => Promise<T>,
): Promise<T> {
  const { tenantId } = await newUser();
  const { domain, namespace } = newDomain();
  await ownNamespace(tenantId, namespace, { proof: signer.record.slice("v=MCPv1; ".length) });
  const texts: Record<string, string[] | null> = { [domain]: ["v=spf1 -all", signer.record] };
  const file: Host = () => new Response(`${signer.record}\n`);
  return outside(
    { [domain]: file },
    ({ asked }) => work({ gateway: gatewayWith({}), domain, namespace, tenantId, asked, texts }),
    {},
    texts,
  );
}

describe("mcp-publisher, request for request", () => {
  it.each(["ed25519", "ecdsap384"] as const)(
    "R19: logs in with an %s key of a domain, publishes, and changes the status",
    async (algorithm) => {
      const signer = await newSigner(algorithm);
      await withDomain(signer, async ({ gateway, domain, namespace, tenantId }) => {
        const name = `${namespace}/weather`;
        for (const [method, version] of [
          ["dns", "1.0.0"],
          ["http", "1.1.0"],
        ] as const) {
          const token = await tokenIn(await login(gateway, method, domain, signer));
          const published = await publishTo(definition(name, { version }), { gateway, token }, "/v0");
          expect(published.status).toBe(200);
          expect(await published.json()).toMatchObject({ server: { name, version } });
        }
        const token = await tokenIn(await login(gateway, "dns", domain, signer));
        const current = await ask("GET", `${serverPath(name, "1.0.0", "/v0")}?include_deleted=true`, undefined, {
          gateway,
          token,
        });
        expect(await current.json()).toMatchObject({
          _meta: { "io.modelcontextprotocol.registry/official": { status: "active" } },
        });
        const one = await ask(
          "PATCH",
          `${serverPath(name, "1.0.0", "/v0")}/status`,
          { status: "deprecated", statusMessage: "Old" },
          { gateway, token },
        );
        expect(one.status).toBe(200);
        const versions = await ask(
          "GET",
          `${serverPath(name, undefined, "/v0")}/versions?include_deleted=true`,
          undefined,
          { gateway, token },
        );
        expect((await versions.json<{ servers: unknown[] }>()).servers).toHaveLength(2);
        const all = await ask(
          "PATCH",
          `${serverPath(name, undefined, "/v0")}/status`,
          { status: "deleted" },
          { gateway, token },
        );
        expect(await all.json()).toMatchObject({ updatedCount: 2 });
        expect((await versionsIn(tenantId, name)).map(({ status }) => status)).toEqual(["deleted", "deleted"]);
        const [row] = await registryTrail(`${name}@1.0.0`);
        expect(row).toMatchObject({
          event: "registry.published",
          tenant_id: tenantId,
          user_id: null,
          credential_kind: "publisher_token",
          credential_id: `dns:${domain}`,
        });
      });
    },
  );

  it("asks for the problems of a file that was refused", async () => {
    const signer = await newSigner("ed25519");
    await withDomain(signer, async ({ gateway, domain, namespace }) => {
      const token = await tokenIn(await login(gateway, "dns", domain, signer));
      const bad = definition(`${namespace}/weather`, { version: "latest" });
      expect((await publishTo(bad, { gateway, token }, "/v0")).status).toBe(422);
      const result = await ask("POST", "/v0/validate", bad, { gateway });
      expect(await result.json()).toMatchObject({
        valid: false,
        issues: [{ path: "version", severity: "error", reference: "version_reserved" }],
      });
    });
  });

  it("looks at the health for the client id of GitHub", async () => {
    for (const root of ["/v0", "/v0.1"]) {
      const answer = await ask("GET", `${root}/health`, undefined, { gateway: gatewayWith(GITHUB) });
      expect(await answer.json()).toEqual({ status: "ok", github_client_id: "example-app" });
      expect(await (await ask("GET", `${root}/health`, undefined)).json()).toEqual({ status: "ok" });
      expect(await (await ask("GET", `${root}/ping`, undefined)).json()).toEqual({ pong: true });
      expect(await (await ask("GET", `${root}/version`, undefined)).json()).toEqual({
        version: expect.stringMatching(/^\d/),
      });
    }
  });
});

describe("a login by a domain", () => {
  it("is refused by another key, another time, or a signature of another time, without asking the domain", async () => {
    const [signer, stranger] = [await newSigner("ed25519"), await newSigner("ed25519")];
    await withDomain(signer, async ({ gateway, domain, asked }) => {
      expect((await login(gateway, "http", domain, stranger)).status).toBe(401);
      for (const off of [-60_000, 60_000])
        expect((await login(gateway, "http", domain, signer, Date.now() + off)).status).toBe(401);
      const timestamp = new Date().toISOString();
      const forged = { domain, timestamp, signed_timestamp: await signer.sign("2026-01-01T00:00:00Z") };
      expect((await ask("POST", "/v0/auth/http", forged, { gateway })).status).toBe(401);
      for (const signature of ["", "zz", "00".repeat(64)])
        expect(
          (await ask("POST", "/v0/auth/http", { ...forged, signed_timestamp: signature }, { gateway })).status,
        ).toBe(401);
      expect(asked).toEqual([]);
    });
  });

  it("ends when the key is no more published, also when the domain has another one", async () => {
    const [signer, next] = [await newSigner("ed25519"), await newSigner("ed25519")];
    await withDomain(signer, async ({ gateway, domain, texts }) => {
      texts[domain] = [next.record];
      expect((await login(gateway, "dns", domain, signer)).status).toBe(403);
      expect((await login(gateway, "dns", domain, next)).status).toBe(401);
      texts[domain] = null;
      const answer = await login(gateway, "dns", domain, signer);
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    });
  });

  it("needs a claimed namespace with a key, and says how to get one", async () => {
    const signer = await newSigner("ed25519");
    const unclaimed = newDomain();
    const { tenantId } = await newUser();
    const keyless = newDomain();
    await ownNamespace(tenantId, keyless.namespace, { method: "administrator" });
    for (const { domain } of [unclaimed, keyless]) {
      const problem = await problemOf(await login(gatewayWith({}), "dns", domain, signer));
      expect(problem).toMatchObject({
        status: 403,
        code: "forbidden",
        error: expect.stringContaining("/api/v1/registry/namespaces"),
      });
    }
  });

  it.each(["localhost", "com", "10.0.0.1:80", "user.github.io/", "", "a..b"])("%j is no domain", async (domain) => {
    const signer = await newSigner("ed25519");
    expect([400, 403]).toContain((await login(gatewayWith({}), "dns", domain, signer)).status);
  });
});

describe("a login without a proof", () => {
  const ANONYMOUS = "io.modelcontextprotocol.anonymous";

  it("is for development, in a namespace that an administrator has assigned", async () => {
    await db.execute(sql`delete from registry_namespace where namespace = ${ANONYMOUS}`);
    expect((await ask("POST", "/v0/auth/none", undefined)).status).toBe(403);
    const { tenantId } = await newUser();
    await ownNamespace(tenantId, ANONYMOUS, { method: "administrator" });
    const token = await tokenIn(await ask("POST", "/v0/auth/none", undefined));
    expect((await publishTo(definition(`${ANONYMOUS}/weather`), { token }, "/v0")).status).toBe(200);
    expect((await publishTo(definition("com.example/weather"), { token }, "/v0")).status).toBe(403);
  });
});

describe("a login by GitHub", () => {
  let issuer: { sign: (claims: Record<string, unknown>, audience?: string) => Promise<string>; jwks: { keys: JWK[] } };
  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256");
    issuer = {
      jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: "k1", alg: "RS256", use: "sig" }] },
      sign: (claims, audience = origin) =>
        new SignJWT({ repository_owner_id: "4711", ...claims })
          .setProtectedHeader({ alg: "RS256", kid: "k1" })
          .setIssuer("https://token.actions.githubusercontent.com")
          .setSubject("repo:octo/weather:ref:refs/heads/main")
          .setAudience(audience)
          .setIssuedAt()
          .setExpirationTime("5m")
          .sign(privateKey),
    };
  });
  const newLogin = () => `octo-${crypto.randomUUID().slice(0, 8)}`;

  it.each(["github-at", "github-oidc"])("by %s is not there unless the operator has set GitHub up", async (method) => {
    const problem = await problemOf(await ask("POST", `/v0/auth/${method}`, { github_token: "x", oidc_token: "x" }));
    expect(problem).toMatchObject({
      status: 501,
      code: "not_implemented",
      error: expect.stringContaining("GITHUB_CLIENT_ID"),
    });
  });

  it("of a workflow gives a token for its owner's namespace", async () => {
    const [{ tenantId }, account] = [await newUser(), newLogin()];
    await ownNamespace(tenantId, `io.github.${account}`, { method: "github", proof: "github-id=4711" });
    await outside({ "token.actions.githubusercontent.com": () => Response.json(issuer.jwks) }, async () => {
      const gateway = gatewayWith(GITHUB);
      const exchange = async (token: Promise<string>) =>
        ask("POST", "/v0/auth/github-oidc", { oidc_token: await token }, { gateway });
      const token = await tokenIn(await exchange(issuer.sign({ repository_owner: account })));
      expect((await publishTo(definition(`io.github.${account}/weather`), { gateway, token }, "/v0")).status).toBe(200);
      expect((await publishTo(definition(`io.github.${account}.x/weather`), { gateway, token }, "/v0")).status).toBe(
        403,
      );
      // Another registry's token, another owner, an account that has taken over the name, and no token at all.
      expect((await exchange(issuer.sign({ repository_owner: account }, "mcp-registry"))).status).toBe(401);
      expect((await exchange(issuer.sign({ repository_owner: newLogin() }))).status).toBe(403);
      expect((await exchange(issuer.sign({ repository_owner: account, repository_owner_id: "4712" }))).status).toBe(
        403,
      );
      expect((await exchange(Promise.resolve("a.b.c"))).status).toBe(401);
    });
  });

  it("with an access token gives one for the own namespace and for organizations of which one is an owner", async () => {
    const [{ tenantId }, own, owned, joined] = [await newUser(), newLogin(), newLogin(), newLogin()];
    for (const [account, id] of [
      [own, 1],
      [owned, 2],
      [joined, 3],
    ] as const)
      await ownNamespace(tenantId, `io.github.${account}`, { method: "github", proof: `github-id=${id}` });
    const api: Host = (request) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/applications/")) return Response.json({ message: "Not Found" }, { status: 404 });
      if (pathname === "/user") return Response.json({ id: 1, login: own });
      return Response.json([
        { state: "active", role: "admin", organization: { id: 2, login: owned } },
        { state: "active", role: "member", organization: { id: 3, login: joined } },
      ]);
    };
    await outside({ "api.github.com": api }, async () => {
      const gateway = gatewayWith(GITHUB);
      const token = await tokenIn(
        await ask("POST", "/v0/auth/github-at", { github_token: `ghp_${"a".repeat(36)}` }, { gateway }),
      );
      for (const [account, status] of [
        [own, 200],
        [owned, 200],
        [joined, 403],
      ] as const)
        expect((await publishTo(definition(`io.github.${account}/weather`), { gateway, token }, "/v0")).status).toBe(
          status,
        );
      // Made for another application: what that one was given must not open this one.
      expect(
        (await ask("POST", "/v0/auth/github-at", { github_token: `gho_${"a".repeat(36)}` }, { gateway })).status,
      ).toBe(401);
    });
  });

  it("can be tried again when GitHub does not answer", async () => {
    await outside({ "*": () => new Response("no", { status: 502 }) }, async () => {
      const gateway = gatewayWith(GITHUB);
      for (const [method, body] of [
        ["github-at", { github_token: `ghp_${"a".repeat(36)}` }],
        ["github-oidc", { oidc_token: "a.b.c" }],
      ] as const) {
        const answer = await ask("POST", `/v0/auth/${method}`, body, { gateway });
        expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
      }
    });
  });
});

describe("a publisher token", () => {
  const tokenFor = (
    tenantId: string,
    namespace: string,
    expiresAt = Date.now() + 60_000,
    secrets = config.BETTER_AUTH_SECRETS,
  ) => signPublisherToken(secrets, { grants: [{ tenantId, namespace }], subject: namespace, method: "dns" }, expiresAt);

  it("C18: is no credential anywhere else, and no other credential is one", async () => {
    const { tenantId, id } = await newUser();
    const namespace = await ownNamespace(tenantId);
    const token = await tokenFor(tenantId, namespace);
    for (const path of ["/api/v1/servers", "/api/v1/keys", "/api/v1/audit", "/api/v1/registry/namespaces"])
      for (const asking of [{ token }, { key: token }])
        expect((await ask("GET", path, undefined, asking)).status).toBe(401);
    expect((await rpc("tools/list", {}, { token })).status).toBe(401);
    expect((await rpc("tools/list", {}, { key: token })).status).toBe(401);
    const { key } = await newKey({ userId: id, scopes: ["mcp-registry:write"] });
    for (const forged of [
      `mrp_${key}`,
      `mrp_${token.split(".")[0]?.slice(4)}.${"A".repeat(43)}`,
      `${token}x`,
      token.replace("mrp_", "mrp_a"),
      "mrp_",
      "mrp_a.b.c",
    ])
      expect((await publishTo(definition(`${namespace}/w`), { token: forged })).status).toBe(401);
  });

  it("C18: is good only with a secret of this gateway, and for its time", async () => {
    const { tenantId } = await newUser();
    const namespace = await ownNamespace(tenantId);
    const other = await tokenFor(tenantId, namespace, undefined, ["another secret"]);
    expect((await publishTo(definition(`${namespace}/w`), { token: other })).status).toBe(401);
    const token = await tokenFor(tenantId, namespace, Date.now() + 60_000);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    try {
      expect((await publishTo(definition(`${namespace}/w`), { token })).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
    expect((await publishTo(definition(`${namespace}/w`), { token })).status).toBe(200);
  });

  it("O01: ends with the tenant's ownership of the namespace", async () => {
    const [{ tenantId }, next] = [await newUser(), await newUser()];
    const namespace = await ownNamespace(tenantId);
    const token = await tokenFor(tenantId, namespace);
    await db.execute(sql`update registry_namespace set tenant_id = ${next.tenantId} where namespace = ${namespace}`);
    expect((await publishTo(definition(`${namespace}/w`), { token })).status).toBe(403);
    expect(await versionsIn(next.tenantId, `${namespace}/w`)).toEqual([]);
  });

  it("sees the tenant's servers in its namespaces only", async () => {
    const { tenantId } = await newUser();
    const [mine, other] = [await ownNamespace(tenantId), await ownNamespace(tenantId)];
    const { key } = await newKey({ userId: tenantId.replace("personal-", ""), scopes: ["mcp-registry:write"] });
    for (const namespace of [mine, other]) await publishTo(definition(`${namespace}/w`), { key });
    const token = await tokenFor(tenantId, mine);
    expect((await ask("GET", serverPath(`${mine}/w`, "latest"), undefined, { token })).status).toBe(200);
    expect((await ask("GET", serverPath(`${other}/w`, "latest"), undefined, { token })).status).toBe(404);
    expect((await ask("GET", "/v0.1/servers", undefined, { token: `${token}x` })).status).toBe(401);
  });
});
