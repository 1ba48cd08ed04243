import { and, desc, eq, isNull, lt, sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import { auditText, type ChangedBy } from "../../audit/event.ts";
import { randomToken, sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { uuidv7 } from "../../platform/crypto.ts";
import type { ClientKeys } from "./keys.ts";
import type { ClientSettings, GrantType } from "./settings.ts";
import { hasSecret, managedMetadata, managedRegistration, newClientGrant, type AuthMethod } from "./managed-client.ts";
import { oauthClient } from "../../identity/schema.ts";
import { isScope } from "../../identity/scopes.ts";

/** A client that an administrator created. */
export interface ManagedClient extends ClientSettings {
  clientId: string;
  /** The grant of the current registration; see `managedRegistration`. */
  grantId: string;
  createdAt: Date;
  updatedAt: Date;
  /** Its position in the list, which is sorted by creation. */
  position: string;
}

/** A change of a client: its new settings and what else the change does. */
export interface ClientWrite {
  settings: ClientSettings;
  grantId: string;
  /** Undefined: the secret stays. */
  secret?: string;
  /** Also ends what people have granted to the client. */
  endRefreshTokens: boolean;
  /** Names of the settings that change, for the audit log. */
  fields: readonly string[];
}

const isManaged = and(isNull(oauthClient.clientDiscoveryId), sql`${oauthClient.metadata} ? 'managed'`);

/** A secret to be shown once. Only its hash is stored; 256 random bits need no slow hash. */
export const newClientSecret = (): string => randomToken(32);

/** Creates a client. The secret, for methods that have one, is in this answer only. */
export async function createClient(
  db: Pick<Db, "insert" | "execute" | "batch">,
  settings: ClientSettings,
  options: { requirePkce: boolean } & ChangedBy,
): Promise<{ client: ManagedClient; clientSecret: string | null }> {
  const clientSecret = hasSecret(settings.authMethod) ? newClientSecret() : null;
  const now = new Date(options.now);
  const row = {
    ...columnsOf(settings),
    id: uuidv7(options.now),
    clientId: crypto.randomUUID().replaceAll("-", ""),
    clientSecret: clientSecret === null ? null : await sha256(clientSecret),
    tokenEndpointAuthMethod: settings.authMethod,
    // Better Auth requires PKCE unless this is false.
    requirePKCE: options.requirePkce ? null : false,
    metadata: managedMetadata({ ...settings, grantId: newClientGrant() }),
    createdAt: now,
    updatedAt: now,
  };
  const entry = changeEntry({
    event: "client.created",
    ...options,
    from: sql`(select ${settings.tenantId}::text as tenant_id, ${row.clientId}::text as target)`,
    detail: { name: auditText(settings.name) ?? "" },
  });
  const [[made]] = await db.batch([db.insert(oauthClient).values(row).returning(), db.execute(entry)]);
  const client = made && fromRow(made);
  if (!client) throw new Error("the client that was created is not a managed client");
  return { client, clientSecret };
}

/** The client with that id; null when there is none or no administrator created it. */
export async function findClient(db: Pick<Db, "select">, clientId: string): Promise<ManagedClient | null> {
  return (await clientsWhere(db, eq(oauthClient.clientId, clientId), 1))[0] ?? null;
}

/** Managed clients, newest first, at most `limit`, after a position of the list. */
export const listClients = (
  db: Pick<Db, "select">,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<ManagedClient[]> => clientsWhere(db, before === undefined ? undefined : lt(oauthClient.id, before), limit);

async function clientsWhere(
  db: Pick<Db, "select">,
  condition: SQL | undefined,
  limit: number,
): Promise<ManagedClient[]> {
  const rows = await db
    .select()
    .from(oauthClient)
    .where(and(isManaged, condition))
    .orderBy(desc(oauthClient.id))
    .limit(limit);
  return rows.map(fromRow).filter((client) => client !== null);
}

/**
 * Changes a client if it is still as it was read, in one statement with the end of its refresh tokens. Returns false
 * and changes nothing when another change came in between.
 */
export async function writeClient(
  db: Pick<Db, "execute">,
  before: ManagedClient,
  write: ClientWrite,
  by: ChangedBy,
): Promise<boolean> {
  const { settings, grantId, secret, endRefreshTokens } = write;
  const columns = columnsOf(settings);
  const metadata = JSON.stringify(managedMetadata({ ...settings, grantId }));
  const secretHash = secret === undefined ? null : await sha256(secret);
  const { rows } = await db.execute(sql`
    with changed as (
      update oauth_client set
        name = ${columns.name}, redirect_uris = ${list(columns.redirectUris)}, application_type = ${columns.applicationType},
        grant_types = ${list(columns.grantTypes)}, response_types = ${list(columns.responseTypes)}, scopes = ${list(columns.scopes)},
        client_credentials_scopes = ${list(columns.clientCredentialsScopes)}, jwks = ${columns.jwks}, disabled = ${columns.disabled},
        skip_consent = ${columns.skipConsent}, metadata = ${metadata}::jsonb, client_secret = coalesce(${secretHash}, client_secret),
        updated_at = greatest(date_trunc('milliseconds', now() at time zone 'utc'), updated_at + interval '1 millisecond')
      where client_id = ${before.clientId} and metadata #>> '{managed,grantId}' = ${before.grantId}
        and updated_at = ${before.updatedAt.toISOString()}::timestamptz at time zone 'utc'
      returning client_id, client_id as target, metadata #>> '{managed,tenantId}' as tenant_id
    ), entry as (${changeEntry({ event: eventOf(before, write), ...by, from: sql`changed`, detail: { fields: write.fields.join(" ") } })}
    ), ended as (
      update oauth_refresh_token t set revoked = now() at time zone 'utc' from changed
      where t.client_id = changed.client_id and ${endRefreshTokens}::boolean and t.revoked is null
    )
    select client_id from changed`);
  return rows.length === 1;
}

function eventOf({ disabled }: ManagedClient, { settings, secret }: ClientWrite) {
  if (secret !== undefined) return "client.secret_rotated";
  if (settings.disabled === disabled) return "client.changed";
  return settings.disabled ? "client.disabled" : "client.enabled";
}

/** Deletes a client with its refresh tokens and consents. */
export async function removeClient(db: Pick<Db, "execute">, clientId: string, by: ChangedBy): Promise<void> {
  await db.execute(sql`
    with gone as (
      delete from ${oauthClient} where ${and(eq(oauthClient.clientId, clientId), isManaged)}
      returning client_id as target, metadata #>> '{managed,tenantId}' as tenant_id
    ) ${changeEntry({ event: "client.deleted", ...by, from: sql`gone` })}`);
}

/** Whether the tenant exists. */
export async function isTenant(db: Pick<Db, "execute">, tenantId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 from organization where id = ${tenantId}`);
  return rows.length > 0;
}

const list = (texts: readonly string[]) => sql`${sql.param([...texts])}::text[]`;

/** The values for Better Auth's columns. */
function columnsOf(settings: ClientSettings) {
  const { redirectUris, grantTypes, jwks } = settings;
  return {
    name: settings.name,
    redirectUris,
    grantTypes,
    responseTypes: grantTypes.includes("authorization_code") ? ["code"] : [],
    applicationType: redirectUris.every((uri) => uri.startsWith("https:")) ? "web" : "native",
    scopes: settings.scopes,
    clientCredentialsScopes: settings.clientCredentialsScopes,
    jwks: jwks && JSON.stringify(jwks),
    disabled: settings.disabled,
    skipConsent: settings.trusted,
  };
}

function fromRow(row: typeof oauthClient.$inferSelect): ManagedClient | null {
  const managed = managedRegistration(row);
  if (!managed) return null;
  return {
    ...managed,
    clientId: row.clientId,
    name: row.name ?? "",
    authMethod: row.tokenEndpointAuthMethod as AuthMethod,
    jwks: row.jwks === null ? null : (JSON.parse(row.jwks) as ClientKeys),
    redirectUris: row.redirectUris,
    grantTypes: (row.grantTypes ?? []) as GrantType[],
    scopes: (row.scopes ?? []).filter(isScope),
    clientCredentialsScopes: (row.clientCredentialsScopes ?? []).filter(isScope),
    trusted: row.skipConsent === true,
    disabled: row.disabled === true,
    createdAt: row.createdAt ?? new Date(0),
    updatedAt: row.updatedAt ?? new Date(0),
    position: row.id,
  };
}
