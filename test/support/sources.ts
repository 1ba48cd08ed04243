// Sources of a tenant's registry, and what was mirrored from them.
import { sql } from "drizzle-orm";
import { syncSource, type SyncBounds, type SyncDeps, type SyncOutcome } from "../../src/registry/mirror/sync.ts";
import { db } from "./gateway.ts";
import { newManager, type Manager } from "./keys.ts";
import type { OtherRegistry } from "./other-registry.ts";
import type { Manage } from "./managed-clients.ts";

export const SOURCES = "/api/v1/registry/sources";
export const USUAL: SyncBounds = { pages: 20, turnMs: 20_000, pageMs: 2_000 };

/** A source as the management API shows it. */
export interface ShownSource {
  id: string;
  url: string;
  allow: string[];
  deny: string[];
  enabled: boolean;
  everyMinutes: number;
  servers: number;
  isRunning: boolean;
  read: number;
  lastRunAt: string | null;
  nextRunAt: string;
  lastProblem: string | null;
}

/** Somebody who may publish to and manage a registry: a person's own, or the one given. */
export const newCurator = (options: { userId?: string; tenantId?: string } = {}): Promise<Manager> =>
  newManager({ ...options, scopes: ["mcp-registry:write", "mcp-registry:read"] });

export async function makeSource(api: Manage, fields: Record<string, unknown> = {}): Promise<ShownSource> {
  const answer = await api("POST", SOURCES, { url: "https://registry.example.com", ...fields });
  if (answer.status !== 201) throw new Error(`no source: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** What mirroring runs on, with another registry in the place of the Internet. */
export const syncDeps = (other: Pick<OtherRegistry, "outbound">): SyncDeps => ({
  db,
  outbound: other.outbound,
  reachable: [],
  log: () => undefined,
  now: () => Date.now(),
});

export const sync = (
  other: Pick<OtherRegistry, "outbound">,
  id: string,
  bounds?: Partial<SyncBounds>,
): Promise<SyncOutcome> => syncSource(syncDeps(other), id, { ...USUAL, ...bounds });

/** A source in a tenant of its own. */
export async function mirroring(fields: Record<string, unknown> = {}): Promise<Manager & { id: string }> {
  const curator = await newCurator();
  const { id } = await makeSource(curator.api, fields);
  return { ...curator, id };
}

/** What a tenant's registry has, as `name version status`, with a star behind the latest. */
export async function kept(tenantId: string): Promise<string[]> {
  const { rows } = await db.execute<{ text: string }>(sql`
    select concat(name, ' ', version, ' ', status, case when is_latest then '*' end) as text
    from registry_version where tenant_id = ${tenantId} order by name, version`);
  return rows.map(({ text }) => text);
}

export const rowOf = async (id: string): Promise<Record<string, unknown>> =>
  (await db.execute(sql`select * from registry_source where id = ${id}::uuid`)).rows[0] ?? {};

/** As if the holder of the lease had not come back in time. */
export const expireLease = (id: string) =>
  db.execute(sql`update registry_source set lease_until = now() - interval '1 second' where id = ${id}::uuid`);

/** No later test is to find these sources due. */
export const disableSources = () => db.execute(sql`update registry_source set enabled = false`);
