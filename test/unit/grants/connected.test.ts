import { describe, expect, it } from "vitest";
import { unauthenticated } from "../../../src/audit/event.ts";
import { consentReference } from "../../../src/grants/consent-reference.ts";
import { connectedApps, disconnect, type DisconnectDeps } from "../../../src/grants/connected.ts";

/** Stores that keep, in order, what they were asked to do; the last statement of a transaction answers with these grants. */
function stores(grantIds: string[], { postgres = false, redis = false } = {}) {
  const done: unknown[] = [];
  const deps = {
    db: {
      execute: (statement: unknown) => statement,
      batch: async (statements: unknown[]) => {
        if (postgres) throw new Error("Postgres does not answer");
        done.push(`${statements.length} statements`);
        return statements.map(() => ({ rows: grantIds.map((id) => ({ grant_id: id })) }));
      },
    },
    redis: {
      eval: async (_script: string, keys: string[], values: string[]) => {
        if (redis) throw new Error("Redis does not answer");
        done.push([...keys, ...values]);
      },
    },
    accessTokenSeconds: 900,
  } as unknown as DisconnectDeps;
  return { deps, done };
}

const CONNECTION = { clientId: "client-1" };
const BY = {
  actor: { ...unauthenticated({ requestId: "req-1", ip: null, userAgent: null }), userId: "user-1" },
  now: 1_800_000_000_000,
};

describe("to disconnect", () => {
  it("B11: is one transaction in Postgres, then one request to Redis that marks every grant", async () => {
    const { deps, done } = stores(["grant-1", "grant-2"]);
    await disconnect(deps, CONNECTION, BY);
    expect(done).toEqual(["4 statements", ["mrg1:ended:grant-1", "mrg1:ended:grant-2", "960"]]);
  });

  it("asks Redis nothing when there was no grant", async () => {
    const { deps, done } = stores([]);
    await disconnect(deps, { ...CONNECTION, reference: "tenant" }, BY);
    expect(done).toEqual(["4 statements"]);
  });

  it("B11: marks nothing when Postgres fails, and does not say that it is done when Redis fails", async () => {
    const failed = stores(["grant-1"], { postgres: true });
    await expect(disconnect(failed.deps, CONNECTION, BY)).rejects.toThrow("Postgres does not answer");
    expect(failed.done).toEqual([]);
    const half = stores(["grant-1"], { redis: true });
    await expect(disconnect(half.deps, CONNECTION, BY)).rejects.toThrow("Redis does not answer");
  });
});

describe("a connected app", () => {
  const URIS = ["https://app.example.com/a", "http://127.0.0.1:49152/callback"];

  async function appWith(reference: string) {
    const row = {
      client_id: "client-1",
      reference_id: reference,
      name: "App",
      redirect_uris: URIS,
      tenant_name: "Organization",
      scopes: ["mcp:tools"],
      resources: null,
      first_connected: "2026-01-02 03:04:05",
      last_used: null,
      live_grants: 0,
    };
    const db = { execute: async () => ({ rows: [row] }) } as unknown as Parameters<typeof connectedApps>[0];
    const [app] = await connectedApps(db, "user-1");
    return app;
  }

  it("says where it runs while its client has that redirect URI, whatever the port on this computer", async () => {
    expect((await appWith(await consentReference("organization-1", URIS[0])))?.redirectUri).toBe(URIS[0]);
    const elsewhere = await consentReference("organization-1", "http://127.0.0.1:50000/callback");
    expect((await appWith(elsewhere))?.redirectUri).toBe(URIS[1]);
    const gone = await consentReference("organization-1", "https://app.example.com/gone");
    expect((await appWith(gone))?.redirectUri).toBeUndefined();
    expect((await appWith("organization-1"))?.redirectUri).toBeUndefined();
  });

  it("acts in the tenant of its reference, since a time in UTC", async () => {
    const app = await appWith(await consentReference("organization-1", URIS[0]));
    expect(app).toMatchObject({
      tenantId: "organization-1",
      tenantName: "Organization",
      resources: [],
      lastUsed: null,
    });
    expect(app?.firstConnected).toEqual(new Date("2026-01-02T03:04:05Z"));
  });
});
