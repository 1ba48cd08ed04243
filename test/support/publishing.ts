// The registry as publishers use it: namespaces, definitions, and requests with a credential of whichever kind.
import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import { apiToken } from "../../src/keys/schema.ts";
import { domainNamespace } from "../../src/registry/name.ts";
import { db, newKey, request } from "./gateway.ts";

/** A domain and the namespace that it stands for; nobody else's in any test. */
export function newDomain(): { domain: string; namespace: string } {
  const domain = `d${crypto.randomUUID().replaceAll("-", "")}.example.com`;
  return { domain, namespace: domainNamespace(domain) ?? "" };
}

/** Gives a tenant a namespace as if it had proved it. */
export async function ownNamespace(
  tenantId: string,
  namespace = newDomain().namespace,
  { method = "dns", proof = null }: { method?: string; proof?: string | null } = {},
): Promise<string> {
  await db.execute(sql`insert into registry_namespace (namespace, tenant_id, method, proof, verified_at)
    values (${namespace}, ${tenantId}, ${method}, ${proof}, now())`);
  return namespace;
}

/** A good server.json. */
export const definition = (name: string, fields: Record<string, unknown> = {}) => ({
  $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
  name,
  description: "Weather for any place",
  version: "1.0.0",
  remotes: [{ type: "streamable-http", url: "https://weather.example.com/mcp" }],
  ...fields,
});

export interface Asking {
  /** Sent as `Authorization: Bearer`. */
  token?: string;
  /** Sent as `x-api-key`. */
  key?: string;
  headers?: Record<string, string>;
  gateway?: (path: string, init?: RequestInit) => Promise<Response>;
}

/** One request to the registry; text bodies go as they are. */
export const ask = (
  method: string,
  path: string,
  body: unknown,
  { token, key, headers, gateway = request }: Asking = {},
) =>
  gateway(path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(key === undefined ? {} : { "x-api-key": key }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });

export const publishTo = (body: unknown, asking: Asking, root = "/v0.1") =>
  ask("POST", `${root}/publish`, body, asking);

/** The path of a server, or of a version of it. */
export const serverPath = (name: string, version?: string, root = "/v0.1") =>
  `${root}/servers/${encodeURIComponent(name)}${version === undefined ? "" : `/versions/${encodeURIComponent(version)}`}`;

/** The versions of a server as Postgres has them, oldest first. */
export async function versionsIn(
  tenantId: string,
  name: string,
): Promise<{ version: string; is_latest: boolean; status: string }[]> {
  const { rows } = await db.execute<{ version: string; is_latest: boolean; status: string }>(sql`
    select version, is_latest, status from registry_version where tenant_id = ${tenantId} and name = ${name} order by published_at, version`);
  return rows;
}

/** What the audit log says of a target, oldest first. */
export const registryTrail = async (target: string) =>
  (
    await db.execute<{
      event: string;
      tenant_id: string;
      user_id: string | null;
      credential_kind: string;
      detail: object;
    }>(sql`select * from audit_log where target = ${target} order by at, id`)
  ).rows;

/** Somebody with a key for publishing, and a namespace. */
export async function newPublisher() {
  const { key, userId, id } = await newKey({ scopes: ["mcp-registry:read", "mcp-registry:write"] });
  const tenantId = `personal-${userId}`;
  return { key, keyId: id, userId, tenantId, namespace: await ownNamespace(tenantId) };
}

/** Status and problem details of a refusal. */
export const problemOf = async (answer: Response) => ({
  status: answer.status,
  ...(await answer.json<{ code: string; detail: string; error: string }>()),
});

/** A token of the retired registry, as the import left it. */
export async function newLegacyToken(userId: string, fields: { revokedAt?: Date } = {}): Promise<string> {
  const token = `registry-${crypto.randomUUID()}`;
  const tokenHash = createHash("sha256").update(token).digest("hex");
  await db
    .insert(apiToken)
    .values({ id: crypto.randomUUID(), userId, name: "CI", tokenHash, scopes: ["publish"], ...fields });
  return token;
}
