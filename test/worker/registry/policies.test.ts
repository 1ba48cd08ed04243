import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, newKey, origin, request } from "../../support/gateway.ts";
import { managing } from "../../support/managed-clients.ts";
import { json } from "../../support/oauth.ts";
import { newCurator } from "../../support/sources.ts";

const POLICIES = "/api/v1/registry/policies";
const VIEWS = "/api/v1/registry/views";

const reader = async () => {
  const { key, userId } = await newKey({ scopes: ["mcp-registry:read"] });
  return { api: managing(key), tenantId: `personal-${userId}` };
};

async function addServer(tenantId: string): Promise<void> {
  await db.execute(sql`
    with s as (insert into registry_server (tenant_id, name, skeleton) values (${tenantId}, 'com.example/x', 'x') returning id)
    insert into registry_version (server_id, tenant_id, name, version, is_latest, definition, status_changed_at, published_at, updated_at)
    select id, ${tenantId}, 'com.example/x', '1.0.0', true, '{}', now(), now(), now() from s`);
}

describe("policies for a fleet of clients", () => {
  it("make VS Code run what this registry lists, and nothing else", async () => {
    const { api } = await reader();
    const answer = await api("GET", `${POLICIES}/vscode`);
    expect(await json(answer)).toEqual({
      registryUrl: origin,
      notes: expect.any(Array),
      settings: {
        "chat.mcp.gallery.enabled": true,
        "chat.mcp.gallery.serviceUrl": origin,
        "chat.mcp.access": "registry",
      },
      policies: { McpGalleryServiceUrl: origin, ChatMCP: "registry" },
    });
  });

  it("make Copilot run what goes by this gateway, by one of two ways", async () => {
    const { api } = await reader();
    const policy = await json(await api("GET", `${POLICIES}/copilot`));
    expect(policy).toMatchObject({
      registryUrl: origin,
      managedSettings: { allowedMcpServers: [{ serverUrl: `${origin}/mcp` }, { serverUrl: `${origin}/mcp/*` }] },
      registryPolicy: { mcpRegistryUrl: origin, restrictMcpAccess: "Registry only" },
    });
    expect(JSON.stringify(policy["notes"])).toContain("Use only one of the two");
  });

  it("name an address at which the registry answers as VS Code asks it", async () => {
    const { api } = await reader();
    const { registryUrl } = await json(await api("GET", `${POLICIES}/vscode`));
    const answer = await request(`${new URL(String(registryUrl)).pathname.replace(/\/$/, "")}/v0.1/servers?limit=1`);
    expect(answer.status).toBe(200);
    expect(await json(answer)).toHaveProperty("metadata");
  });

  it("can be for a private view, whose secret they do not have", async () => {
    const { api, tenantId } = await newCurator();
    const made = await json(await api("POST", VIEWS, { name: "Editors", addresses: ["192.0.2.0/24"] }));
    const read = async () => json(await api("GET", `${POLICIES}/vscode?view=${String(made["id"])}`));
    const policy = await read();
    expect(policy["registryUrl"]).toBe(`${origin}/r/SECRET`);
    const secret = new URL(String(made["url"])).pathname.split("/")[2] ?? "";
    expect(secret.length).toBeGreaterThan(30);
    expect(JSON.stringify(policy)).not.toContain(secret);
    expect(policy["notes"]).toEqual([
      expect.stringContaining("Replace SECRET"),
      expect.stringContaining("allowed IP addresses"),
      expect.stringContaining("has no servers"),
    ]);
    await addServer(tenantId);
    expect((await read())["notes"]).toHaveLength(2);
  });

  it("say when a view ends, and are not made for one that has", async () => {
    const { api, tenantId } = await newCurator();
    await addServer(tenantId);
    const { id } = await json(await api("POST", VIEWS, { name: "Editors" }));
    const path = `${POLICIES}/copilot?view=${String(id)}`;
    await db.execute(sql`update registry_view set ends_at = '2099-01-01T00:00:00Z' where id = ${String(id)}::uuid`);
    expect(JSON.stringify((await json(await api("GET", path)))["notes"])).toContain(
      "stops working at 2099-01-01T00:00:00.000Z",
    );
    await db.execute(
      sql`update registry_view set ends_at = now() - interval '1 second' where id = ${String(id)}::uuid`,
    );
    expect((await api("GET", path)).status).toBe(404);
  });

  it.each(["vscode", "copilot"])("O03: for %s are not made for a view of another organization", async (client) => {
    const [mine, other] = [await newCurator(), await newCurator()];
    const { id } = await json(await other.api("POST", VIEWS, { name: "Editors" }));
    for (const view of [String(id), crypto.randomUUID()])
      expect((await mine.api("GET", `${POLICIES}/${client}?view=${view}`)).status).toBe(404);
    for (const query of ["view=1", "view=", "other=1"])
      expect((await mine.api("GET", `${POLICIES}/${client}?${query}`)).status).toBe(400);
  });
});
