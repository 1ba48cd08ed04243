import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { TIERS } from "../../../src/limits/plan.ts";
import { callTool, db, eventually, newKey, newUser, withFault } from "../../support/gateway.ts";
import { newManager, organizationOf } from "../../support/keys.ts";
import { manage, managing, newAdministrator } from "../../support/managed-clients.ts";
import { gatewayWith, json } from "../../support/oauth.ts";

const limitsOf = (tenantId: string) => `/api/v1/tenants/${tenantId}/limits`;
const ONE = { perMinute: 1, burst: 1 };
const echo = (key: string) => callTool("echo", { text: "x" }, { key });

interface Shown {
  tenantId: string;
  limits: { tier: string; perMinute: number; burst: number; from: string }[];
  tools: { tool: string; perMinute: number; burst: number; from: string }[];
}

const shownTo = async (key: string) => (await managing(key)("GET", "/api/v1/limits")).json<Shown>();
const tierOf = ({ limits }: Shown, tier: string) => limits.find((limit) => limit.tier === tier);

describe("the limits of a caller", () => {
  it("R10: are those of its plan, built in until somebody says otherwise", async () => {
    const { key, userId } = await newKey();
    const shown = await shownTo(key);
    expect(shown.tenantId).toBe(`personal-${userId}`);
    expect(shown.limits.map(({ tier, from }) => [tier, from])).toEqual(TIERS.map((tier) => [tier, "default"]));
    expect(tierOf(shown, "credential")).toEqual({ tier: "credential", perMinute: 1_200, burst: 200, from: "default" });
    expect(shown.tools).toEqual([]);
  });

  it("R10: say which of them are the operator's, the organization's and the key's own", async () => {
    const { userId, tenantId, api } = await newManager();
    const made = await json(await api("POST", "/api/v1/keys", { name: "x", rate: { perMinute: 5, burst: 2 } }));
    const tools = { notes__add: ONE };
    await manage("PUT", limitsOf(tenantId), { user: { perMinute: 30, burst: 3 }, credential: ONE, tools });
    const gateway = gatewayWith({
      LIMITS: JSON.stringify({ tool: { perMinute: 7, burst: 7 }, tools: { echo: { perMinute: 9, burst: 9 } } }),
    });
    const answer = await gateway("/api/v1/limits", { headers: { "x-api-key": String(made["key"]) } });
    const shown = await answer.json<Shown>();
    expect([shown.tenantId, tierOf(shown, "tenant")?.from]).toEqual([`personal-${userId}`, "default"]);
    expect(tierOf(shown, "credential")).toEqual({ tier: "credential", perMinute: 5, burst: 2, from: "key" });
    expect(tierOf(shown, "user")).toEqual({ tier: "user", perMinute: 30, burst: 3, from: "tenant" });
    expect(tierOf(shown, "tool")).toEqual({ tier: "tool", perMinute: 7, burst: 7, from: "operator" });
    expect(shown.tools).toEqual([
      { tool: "echo", perMinute: 9, burst: 9, from: "operator" },
      { tool: "notes__add", ...ONE, from: "tenant" },
    ]);
  });

  it("R10: are what calls at /mcp are told, tier by tier", async () => {
    const { key } = await newKey();
    const { limits } = await shownTo(key);
    const policy = (await echo(key)).response.headers.get("ratelimit-policy") ?? "";
    const told = [...policy.matchAll(/"(\w+)";q=(\d+)/g)].map(([, tier, burst]) => [tier, Number(burst)]);
    expect(told).toEqual(limits.map(({ tier, burst }) => [tier, burst]));
  });
});

describe("the limits of an organization", () => {
  it("R9: bind at the very next call once a lower one is set, and no longer once it is taken back", async () => {
    const { key, userId } = await newKey();
    const path = limitsOf(`personal-${userId}`);
    for (let i = 0; i < 3; i++) expect((await echo(key)).status).toBe(200);
    expect((await manage("PUT", path, { credential: ONE })).status).toBe(200);
    const last = await echo(key);
    expect(last.status).toBe(200);
    expect(last.response.headers.get("ratelimit-policy")).toContain('"credential";q=1;w=60');
    const refused = await echo(key);
    expect([refused.status, refused.error?.data?.["tier"]]).toEqual([429, "credential"]);
    expect((await manage("DELETE", path)).status).toBe(200);
    const again = await eventually(async () => {
      const answer = await echo(key);
      return answer.status === 200 ? answer : undefined;
    });
    expect(again.response.headers.get("ratelimit-policy")).toContain('"credential";q=200;w=10');
  });

  it("R10: hold all its members' keys, and nobody else's", async () => {
    const organization = await organizationOf("owner", "member");
    const [one, other] = [await newKey({ userId: organization.owner }), await newKey({ userId: organization.member })];
    const stranger = await newKey();
    await db.execute(
      sql`update api_key_policy set tenant_id = ${organization.id} where key_id in (${one.id}, ${other.id})`,
    );
    await manage("PUT", limitsOf(organization.id), { tenant: ONE });
    expect((await echo(one.key)).status).toBe(200);
    expect((await echo(other.key)).error?.data).toMatchObject({ code: "rate_limited", tier: "tenant" });
    expect((await echo(stranger.key)).status).toBe(200);
  });

  it("R10: hold single tools by name", async () => {
    const { key, userId } = await newKey();
    await manage("PUT", limitsOf(`personal-${userId}`), { tools: { echo: ONE } });
    expect((await echo(key)).status).toBe(200);
    expect((await echo(key)).error?.data).toMatchObject({ code: "rate_limited", tier: "tool" });
    expect((await callTool("whoami", {}, { key })).status).toBe(200);
  });

  it("are replaced as a whole, shown as they were given, and written down with who did it", async () => {
    const { tenantId } = await newUser();
    const admin = await newAdministrator();
    const api = managing(admin.key);
    const first = { tenant: { perMinute: 600, burst: 100 }, tools: { echo: ONE } };
    const second = { user: ONE };
    expect(await json(await api("GET", limitsOf(tenantId)))).toEqual({ tenantId, limits: {} });
    for (const limits of [first, second]) {
      const answer = await api("PUT", limitsOf(tenantId), limits);
      expect([answer.status, await json(answer)]).toEqual([200, { tenantId, limits }]);
      expect(await json(await api("GET", limitsOf(tenantId)))).toEqual({ tenantId, limits });
    }
    for (let i = 0; i < 2; i++) {
      expect(await json(await api("DELETE", limitsOf(tenantId)))).toEqual({ tenantId, limits: {} });
    }
    const { rows } = await db.execute(
      sql`select event, outcome, user_id, target, detail from audit_log where tenant_id = ${tenantId} order by at, id`,
    );
    const entry = { event: "limits.changed", outcome: "ok", user_id: admin.id, target: tenantId };
    expect(rows).toEqual([
      { ...entry, detail: { tenant: "600/min, 100 at once", tools: 1 } },
      { ...entry, detail: { user: "1/min, 1 at once", tools: 0 } },
      { ...entry, detail: { tools: 0 } },
    ]);
  });

  it.each<[string, unknown]>([
    ["a limit of the gateway", { gateway: ONE }],
    ["a limit on addresses", { address: ONE }],
    ["a limit on guesses", { guess: ONE }],
    ["no calls at all", { tenant: { perMinute: 0, burst: 1 } }],
    ["half a limit", { tenant: { perMinute: 1 } }],
    ["parts of calls", { tenant: { perMinute: 1.5, burst: 1 } }],
    ["more at once than can be counted", { tenant: { perMinute: 1, burst: 1e9 } }],
    ["null", { tenant: null }],
    ["a tool without a name", { tools: { "": ONE } }],
    ["101 tools", { tools: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`tool${i}`, ONE])) }],
    ["what there is not", { plan: "large" }],
    ["a list", []],
  ])("are not made of %s", async (_what, limits) => {
    const { tenantId } = await newUser();
    const answer = await manage("PUT", limitsOf(tenantId), limits);
    expect([answer.status, (await json(answer))["code"]]).toEqual([400, "invalid_request"]);
    expect(await json(await manage("GET", limitsOf(tenantId)))).toEqual({ tenantId, limits: {} });
  });

  it.each(["GET", "PUT", "DELETE"])(
    "O03: %s is 404 for an organization that does not exist, and changes nothing",
    async (method) => {
      const tenantId = `none-${crypto.randomUUID()}`;
      const answer = await manage(method, limitsOf(tenantId), method === "PUT" ? { user: ONE } : undefined);
      expect([answer.status, (await json(answer))["code"]]).toEqual([404, "not_found"]);
      const { rows } = await db.execute(sql`select 1 from audit_log where tenant_id = ${tenantId}`);
      expect(rows).toEqual([]);
    },
  );

  it("O02: are not for owners of the organization to set, whatever scopes their key has", async () => {
    const organization = await organizationOf("owner");
    const { api } = await newManager({
      userId: organization.owner,
      tenantId: organization.id,
      scopes: ["admin", "mcp:tools"],
    });
    for (const [method, body] of [["GET"], ["PUT", { tenant: ONE }], ["DELETE"]] as const)
      expect((await api(method, limitsOf(organization.id), body)).status).toBe(403);
  });

  it("R9: say 503 while Redis does not take a change, which stands nevertheless", async () => {
    const { key, userId } = await newKey();
    const tenantId = `personal-${userId}`;
    const warm = await manage("GET", limitsOf(tenantId));
    expect(warm.status).toBe(200);
    const answer = await withFault({ upstash: { mode: "down" } }, () =>
      manage("PUT", limitsOf(tenantId), { user: ONE }),
    );
    expect([answer.status, (await json(answer))["code"]]).toEqual([503, "revocation_pending"]);
    expect(tierOf(await shownTo(key), "user")).toMatchObject({ ...ONE, from: "tenant" });
  });
});
