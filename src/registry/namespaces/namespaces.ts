import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import type { Actor } from "../../audit/event.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { namespaceDomain, parseName } from "../name.ts";

/** How a tenant got a namespace: by a proof, or assigned by an administrator. */
export type NamespaceMethod = "dns" | "http" | "github" | "administrator";

/** A namespace and its owner. */
export interface OwnedNamespace {
  namespace: string;
  tenantId: string;
  method: NamespaceMethod;
  /** Public keys (`k=…; p=…`, one per line) or `github-id=…`; null: no publishing tool can publish for the tenant. */
  proof: string | null;
  verifiedAt: Date;
}

/**
 * Methods that also give the owner everything below a namespace: whoever controls a domain's DNS controls the names
 * below it, and an administrator decides so. A web server or a GitHub account proves only its own name (as in the
 * official registry).
 */
const COVERS_BELOW: readonly NamespaceMethod[] = ["dns", "administrator"];

/** Whether servers may also be published below a namespace that was obtained by this method. */
export const coversBelow = (namespace: string, method: NamespaceMethod): boolean =>
  COVERS_BELOW.includes(method) && namespaceDomain(namespace) !== undefined;

/** A namespace in its stored form, lower case; undefined for a text that cannot be a namespace. */
export function canonicalNamespace(text: string): string | undefined {
  const namespace = text.toLowerCase();
  if (namespace === "io.github" || parseName(`${namespace}/x`) === undefined) return undefined;
  return namespace;
}

/** The namespaces above one that may cover it: `com.example.a.b` → `com.example.a`, `com.example`. */
function above(namespace: string): string[] {
  const labels = namespace.split(".");
  return labels
    .map((_, count) => labels.slice(0, count).join("."))
    .filter((candidate) => namespaceDomain(candidate) !== undefined);
}

/**
 * The owner of a namespace, as a SELECT of at most one row (`tenant_id`, `namespace`): that of the longest namespace
 * that covers it.
 */
export const ownerOf = (namespace: string): SQL => sql`
  select tenant_id, namespace from registry_namespace
  where namespace = ${namespace}
    or (namespace = any(${sql.param(above(namespace))}::text[]) and method = any(${sql.param([...COVERS_BELOW])}::text[]))
  order by length(namespace) desc limit 1`;

/** Locks the rows that {@link ownerOf} reads, so that they do not change until the end of the transaction. */
export const lockOwner = (namespace: string): SQL => sql`
  select 1 from registry_namespace
  where namespace = any(${sql.param([namespace, ...above(namespace)])}::text[]) order by namespace for share`;

interface NamespaceRow extends Record<string, unknown> {
  namespace: string;
  tenant_id: string;
  method: NamespaceMethod;
  proof: string | null;
  verified_at: string;
}

const COLUMNS = sql.raw("namespace, tenant_id, method, proof, verified_at");

const shown = (row: NamespaceRow): OwnedNamespace => ({
  namespace: row.namespace,
  tenantId: row.tenant_id,
  method: row.method,
  proof: row.proof,
  verifiedAt: new Date(row.verified_at),
});

/** The namespaces of a tenant, ordered by name. */
export async function listNamespaces(db: Pick<Db, "execute">, tenantId: string): Promise<OwnedNamespace[]> {
  const { rows } = await db.execute<NamespaceRow>(
    sql`select ${COLUMNS} from registry_namespace where tenant_id = ${tenantId} order by namespace limit 1000`,
  );
  return rows.map(shown);
}

/** Exactly these namespaces, of any tenant. Namespaces above them are not included. */
export async function findNamespaces(
  db: Pick<Db, "execute">,
  namespaces: readonly string[],
): Promise<OwnedNamespace[]> {
  const { rows } = await db.execute<NamespaceRow>(
    sql`select ${COLUMNS} from registry_namespace where namespace = any(${sql.param([...namespaces])}::text[]) order by namespace`,
  );
  return rows.map(shown);
}

/** Whether a tenant can own a namespace. `taken`: another tenant owns it or a namespace that covers it. */
export async function standingOf(
  db: Pick<Db, "execute">,
  tenantId: string,
  namespace: string,
): Promise<"free" | "owned" | "taken"> {
  const { rows } = await db.execute<{ tenant_id: string; namespace: string }>(ownerOf(namespace));
  const [owner] = rows;
  if (owner === undefined) return "free";
  if (owner.tenant_id !== tenantId) return "taken";
  return owner.namespace === namespace ? "owned" : "free";
}

/** Whether the user signs in here with this GitHub account; `accountId` is GitHub's id. */
export async function hasGithubAccount(db: Pick<Db, "execute">, userId: string, accountId: string): Promise<boolean> {
  const { rows } = await db.execute(
    sql`select 1 from account where user_id = ${userId} and provider_id = 'github' and account_id = ${accountId}`,
  );
  return rows.length > 0;
}

/** A namespace for a tenant, with its proof. */
export interface ProvedNamespace {
  tenantId: string;
  namespace: string;
  method: NamespaceMethod;
  proof: string | null;
}

/**
 * Gives a tenant a namespace that it has proved, or renews the proof. One that an administrator assigned keeps this
 * method, with the keys that were found. Null when another tenant owns it or a namespace that covers it; of several
 * attempts at the same time, the first one wins. `now` is epoch milliseconds.
 */
export async function proveNamespace(
  db: Pick<Db, "batch" | "execute">,
  { tenantId, namespace, method, proof }: ProvedNamespace,
  actor: Actor,
  now: number,
): Promise<OwnedNamespace | null> {
  const [, { rows }] = await db.batch([
    db.execute(lockFamily(namespace)),
    db.execute<NamespaceRow>(sql`
      with owner as (${ownerOf(namespace)}), owned as (
        insert into registry_namespace (namespace, tenant_id, method, proof, verified_at)
        select ${namespace}, id, ${method}, ${proof}, ${new Date(now).toISOString()}::timestamptz from organization
        where id = ${tenantId} and not exists (select 1 from owner where tenant_id <> ${tenantId})
        on conflict (namespace) do update
          set proof = excluded.proof, verified_at = excluded.verified_at,
            method = case registry_namespace.method when 'administrator' then 'administrator' else excluded.method end
          where registry_namespace.tenant_id = excluded.tenant_id
        returning *, namespace as target
      ), entry as (${changeEntry({ event: "registry.namespace_proved", actor, now, from: sql`owned`, detail: { method } })})
      select ${COLUMNS} from owned`),
  ]);
  return rows[0] ? shown(rows[0]) : null;
}

/**
 * Assigns a namespace to a tenant without a proof, as an administrator decides. Another owner keeps it unless
 * `replace`. `proof` is the id of a GitHub account if known. `now` is epoch milliseconds.
 */
export async function assignNamespace(
  db: Pick<Db, "batch" | "execute">,
  {
    tenantId,
    namespace,
    proof,
    replace,
  }: { tenantId: string; namespace: string; proof: string | null; replace: boolean },
  actor: Actor,
  now: number,
): Promise<{ state: "assigned"; owned: OwnedNamespace } | { state: "taken" | "no_tenant" }> {
  const [, , { rows }] = await db.batch([
    db.execute(lockFamily(namespace)),
    db.execute(
      hideServers(
        namespace,
        sql`(select tenant_id from registry_namespace where namespace = ${namespace} and tenant_id <> ${tenantId}
          and ${replace}::boolean and exists (select 1 from organization where id = ${tenantId}))`,
      ),
    ),
    db.execute<NamespaceRow & { known: boolean }>(sql`
      with owned as (
        insert into registry_namespace (namespace, tenant_id, method, proof, verified_at)
        select ${namespace}, id, 'administrator', ${proof}, ${new Date(now).toISOString()}::timestamptz from organization
        where id = ${tenantId}
        on conflict (namespace) do update
          set tenant_id = excluded.tenant_id, method = excluded.method, proof = excluded.proof, verified_at = excluded.verified_at
          where registry_namespace.tenant_id = excluded.tenant_id or ${replace}::boolean
        returning *, namespace as target
      ), entry as (${changeEntry({ event: "registry.namespace_assigned", actor, now, from: sql`owned`, detail: { replace } })})
      select exists (select 1 from organization where id = ${tenantId}) as known, owned.*
      from (values (1)) as one(n) left join owned on true`),
  ]);
  const [row] = rows;
  if (row?.known !== true) return { state: "no_tenant" };
  return row.namespace ? { state: "assigned", owned: shown(row) } : { state: "taken" };
}

/**
 * Releases a namespace; false when the tenant does not own it. The tenant keeps its servers, but public ones whose
 * names it no longer owns become private. `now` is epoch milliseconds.
 */
export async function releaseNamespace(
  db: Pick<Db, "batch" | "execute">,
  { tenantId, namespace }: { tenantId: string; namespace: string },
  actor: Actor,
  now: number,
): Promise<boolean> {
  const [, { rows }] = await db.batch([
    db.execute(lockFamily(namespace)),
    db.execute(sql`
      with released as (
        delete from registry_namespace where namespace = ${namespace} and tenant_id = ${tenantId}
        returning tenant_id, namespace as target
      ), entry as (${changeEntry({ event: "registry.namespace_released", actor, now, from: sql`released`, detail: {} })})
      select target from released`),
    db.execute(
      hideServers(
        namespace,
        sql`(select ${tenantId}::text where not exists (select 1 from registry_namespace where namespace = ${namespace} and tenant_id = ${tenantId}))`,
      ),
    ),
  ]);
  return rows.length > 0;
}

/** Serializes changes of the namespaces of one domain. */
const lockFamily = (namespace: string): SQL =>
  sql`select pg_advisory_xact_lock(hashtextextended(${`registry_namespace ${namespace.split(".").slice(0, 2).join(".")}`}, 0))`;

/**
 * Makes a tenant's public servers in a namespace private, except those that another namespace of the tenant covers.
 * `tenant`: a query for one id or none.
 */
const hideServers = (namespace: string, tenant: SQL): SQL => sql`
  with hidden as (
    update registry_server s set is_public = false
    where s.tenant_id = ${tenant} and s.is_public and s.source_id is null
      and (lower(split_part(s.name, '/', 1)) = ${namespace} or starts_with(lower(split_part(s.name, '/', 1)), ${`${namespace}.`}))
      and not exists (
        select 1 from registry_namespace n where n.tenant_id = s.tenant_id and n.namespace <> ${namespace}
          and (lower(split_part(s.name, '/', 1)) = n.namespace
            or (n.method = any(${sql.param([...COVERS_BELOW])}::text[]) and starts_with(lower(split_part(s.name, '/', 1)), n.namespace || '.'))))
    returning id
  )
  update registry_version v set is_public = false from hidden where v.server_id = hidden.id`;
