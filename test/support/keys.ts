// API keys as the management API makes them, and organizations for them to belong to.
import { sql } from "drizzle-orm";
import { unauthenticated } from "../../src/audit/event.ts";
import type { Scope } from "../../src/identity/scopes.ts";
import { db, newKey, newUser } from "./gateway.ts";
import { managing, type Manage } from "./managed-clients.ts";

export const KEYS = "/api/v1/keys";

/** What the management API shows of a key; `key` only when it is new. */
export interface ShownKey {
  id: string;
  key: string;
  [field: string]: unknown;
}

/** Somebody with a key by which they manage keys. */
export interface Manager {
  userId: string;
  tenantId: string;
  /** Of the key by which they ask. */
  id: string;
  api: Manage;
}

/** An actor of whom the audit log needs to know nothing. */
export const NOBODY = unauthenticated({ requestId: "test", ip: null, userAgent: null });

const USUAL: readonly Scope[] = ["mcp:tools", "mcp-registry:read", "keys:read", "keys:write"];

/** A new person, or the one given, with a key of these scopes that acts in this tenant. */
export async function newManager(
  options: { userId?: string; scopes?: readonly Scope[]; tenantId?: string } = {},
): Promise<Manager> {
  const { key, id, userId } = await newKey({ ...options, scopes: options.scopes ?? USUAL });
  const { tenantId = `personal-${userId}` } = options;
  await db.execute(sql`update api_key_policy set tenant_id = ${tenantId} where key_id = ${id}`);
  return { userId, tenantId, id, api: managing(key) };
}

/** Makes a key through the API. */
export async function postKey({ api }: Pick<Manager, "api">, fields: Record<string, unknown> = {}): Promise<ShownKey> {
  const answer = await api("POST", KEYS, { name: "Laptop", ...fields });
  if (answer.status !== 201) throw new Error(`no key: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** An organization with a new person for each of these roles. */
export async function organizationOf<Role extends string>(
  ...roles: Role[]
): Promise<{ id: string } & Record<Role, string>> {
  const id = `organization-${crypto.randomUUID()}`;
  await db.execute(
    sql`insert into organization (id, name, slug, created_at) values (${id}, 'Example organization', ${id}, now() at time zone 'utc')`,
  );
  const people: Record<string, string> = {};
  for (const role of roles) {
    const user = await newUser();
    people[role] = user.id;
    await join(id, user.id, role);
  }
  return { ...(people as Record<Role, string>), id };
}

const join = (organization: string, userId: string, role: string) =>
  db.execute(sql`
  insert into member (id, organization_id, user_id, role, created_at)
  values (${`${organization}:${userId}`}, ${organization}, ${userId}, ${role}, now() at time zone 'utc')`);

/** A key's rows in both tables. */
export async function rowsOf(id: string): Promise<Record<string, unknown>> {
  const { rows } = await db.execute(
    sql`select k.*, to_jsonb(p) as policy from apikey k join api_key_policy p on p.key_id = k.id where k.id = ${id}`,
  );
  return rows[0] ?? {};
}

/** What the audit log says of a key, oldest first. */
export const trailOf = async (id: string) =>
  (await db.execute(sql`select * from audit_log where target = ${id} order by at, id`)).rows;
