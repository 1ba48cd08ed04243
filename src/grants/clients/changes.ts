import type { ChangedBy } from "../../audit/event.ts";
import { endsTokens, settingsProblem, type ClientSettings } from "./settings.ts";
import {
  createClient,
  findClient,
  isTenant,
  newClientSecret,
  removeClient,
  writeClient,
  type ClientWrite,
  type ManagedClient,
} from "./managed-clients.ts";
import { hasSecret, newClientGrant } from "./managed-client.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { endGrant, type GrantDeps } from "../revocation.ts";

export interface ClientChangeDeps {
  db: Pick<Db, "select" | "insert" | "execute" | "batch">;
  grants: GrantDeps;
  origin: string;
  /** Scopes of this deployment. */
  offered: readonly string[];
  requirePkce: boolean;
}

/** Why a client was not created or changed. `problem` is a text for the administrator. */
export type ClientRefusal =
  | { state: "unknown" }
  | { state: "refused"; problem: string }
  /** Concurrent changes of the client prevented this one. */
  | { state: "contended" };

const ATTEMPTS = 3;

/** Creates a client. Its secret, if it has one, is in this answer only. */
export async function makeClient(
  deps: ClientChangeDeps,
  settings: ClientSettings,
  by: ChangedBy,
): Promise<{ state: "done"; client: ManagedClient; clientSecret: string | null } | ClientRefusal> {
  const problem = await problemOf(deps, settings);
  if (problem !== undefined) return { state: "refused", problem };
  return { state: "done", ...(await createClient(deps.db, settings, { requirePkce: deps.requirePkce, ...by })) };
}

/**
 * Changes settings of a client; undefined ones stay as they are. When the client loses a right, its tokens end before
 * this resolves; when it is disabled, its refresh tokens end, too. The authentication method cannot be changed.
 */
export function changeClient(
  deps: ClientChangeDeps,
  clientId: string,
  change: Partial<Omit<ClientSettings, "authMethod">>,
  by: ChangedBy,
): Promise<{ state: "done"; client: ManagedClient } | ClientRefusal> {
  return rewrite(deps, clientId, by, async (client) => {
    const settings = { ...client, ...change };
    const problem = await problemOf(deps, settings);
    if (problem !== undefined) return { state: "refused", problem };
    const ends = endsTokens(client, settings);
    const grantId = ends ? newClientGrant() : client.grantId;
    return {
      settings,
      grantId,
      endRefreshTokens: ends && settings.disabled,
      fields: Object.keys(change).toSorted((a, b) => a.localeCompare(b)),
    };
  });
}

/**
 * Gives a client a new secret, in this answer only. The old secret and the client's tokens end before this resolves.
 */
export async function rotateClientSecret(
  deps: ClientChangeDeps,
  clientId: string,
  by: ChangedBy,
): Promise<{ state: "done"; client: ManagedClient; clientSecret: string } | ClientRefusal> {
  const clientSecret = newClientSecret();
  const rewritten = await rewrite(deps, clientId, by, async (client) =>
    hasSecret(client.authMethod)
      ? { settings: client, grantId: newClientGrant(), secret: clientSecret, endRefreshTokens: false, fields: [] }
      : { state: "refused", problem: `authMethod: a client of the method ${client.authMethod} has no secret` },
  );
  return rewritten.state === "done" ? { ...rewritten, clientSecret } : rewritten;
}

/** Deletes a client and everything that was granted to it. */
export async function deleteClient(
  { db, grants }: Pick<ClientChangeDeps, "db" | "grants">,
  clientId: string,
  by: ChangedBy,
): Promise<{ state: "done" } | ClientRefusal> {
  const client = await findClient(db, clientId);
  if (!client) return { state: "unknown" };
  await endGrant(grants, client.grantId);
  await removeClient(db, clientId, by);
  return { state: "done" };
}

/**
 * Tokens end before the write. If the write then fails, the client has to request new tokens, and no token survives
 * that was to end.
 */
async function rewrite(
  { db, grants }: ClientChangeDeps,
  clientId: string,
  by: ChangedBy,
  decide: (client: ManagedClient) => Promise<ClientWrite | ClientRefusal>,
): Promise<{ state: "done"; client: ManagedClient } | ClientRefusal> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const client = await findClient(db, clientId);
    if (!client) return { state: "unknown" };
    const write = await decide(client);
    if ("state" in write) return write;
    if (write.grantId !== client.grantId) await endGrant(grants, client.grantId);
    if (await writeClient(db, client, write, by)) {
      const written = await findClient(db, clientId);
      return written ? { state: "done", client: written } : { state: "unknown" };
    }
  }
  return { state: "contended" };
}

async function problemOf(
  { db, origin, offered }: Pick<ClientChangeDeps, "db" | "origin" | "offered">,
  settings: ClientSettings,
): Promise<string | undefined> {
  const problem = await settingsProblem(settings, { origin, offered });
  if (problem !== undefined || settings.tenantId === null) return problem;
  return (await isTenant(db, settings.tenantId)) ? undefined : "tenantId: there is no such organization";
}
