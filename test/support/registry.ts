// Servers and private views of the registry, as rows: what publishing, mirroring and the dashboard make has stories of its own.
import { sql } from "drizzle-orm";
import { expect } from "vitest";
import type { z } from "zod";
import { sha256 } from "../../src/platform/crypto.ts";
import { CURRENT_SCHEMA } from "../../src/registry/definition/definition.ts";
import { skeleton } from "../../src/registry/name.ts";
import { generateViewSecret } from "../../src/registry/views/views.ts";
import { db, newKey, newUser, request, stats } from "./gateway.ts";
import type { serverList, serverResponse } from "./registry-shapes.ts";

export type ServerAnswer = z.infer<typeof serverResponse>;
export type ListAnswer = z.infer<typeof serverList>;

export interface NewVersion {
  version?: string;
  status?: "active" | "deprecated" | "deleted";
  statusMessage?: string;
  isLatest?: boolean;
  /** Of publishing, and of the last change. */
  at?: string;
  /** Members of the definition beside those that all have. */
  definition?: Record<string, unknown>;
}

export interface NewServer {
  tenantId: string;
  name: string;
  isPublic?: boolean;
  isMirrored?: boolean;
  gatewaySlug?: string;
  versions?: readonly NewVersion[];
}

const AT = "2026-01-01T00:00:00.000Z";

/** A server with its versions, oldest first; the last is the latest unless one says so. */
export async function addServer({ tenantId, name, versions = [{}], ...server }: NewServer): Promise<void> {
  const { isPublic = false, isMirrored = false, gatewaySlug = null } = server;
  const { rows } = await db.execute<{ id: string }>(sql`
    insert into registry_server (tenant_id, name, skeleton, is_public, source_id, gateway_slug)
    values (${tenantId}, ${name}, ${skeleton(name)}, ${isPublic}, ${isMirrored ? crypto.randomUUID() : null}::uuid, ${gatewaySlug})
    returning id`);
  const latest = versions.findIndex(({ isLatest }) => isLatest);
  const made = versions.map((given, index) => {
    const { version = "1.0.0", status = "active", statusMessage = null, at = AT, definition } = given;
    const usual = { $schema: CURRENT_SCHEMA, name, description: `The server ${name}`.slice(0, 100), version };
    return {
      version,
      status,
      status_message: statusMessage,
      at,
      is_latest: index === (latest === -1 ? versions.length - 1 : latest),
      definition: { ...usual, ...definition },
    };
  });
  await db.execute(sql`
    insert into registry_version (server_id, tenant_id, name, version, is_public, is_latest, definition, status, status_message,
      status_changed_at, published_at, updated_at)
    select ${rows[0]?.id}::bigint, ${tenantId}, ${name}, version, ${isPublic}, is_latest, definition, status, status_message, at, at, at
    from jsonb_to_recordset(${JSON.stringify(made)}::jsonb)
      as v(version text, status text, status_message text, at timestamptz, is_latest boolean, definition jsonb)`);
}

/** A tenant with a registry of its own, and a key that reads it. */
export async function newRegistry(): Promise<{
  tenantId: string;
  userId: string;
  key: string;
  headers: Record<string, string>;
}> {
  const { id, tenantId } = await newUser();
  const { key } = await newKey({ userId: id, scopes: ["mcp:tools", "mcp-registry:read"] });
  return { tenantId, userId: id, key, headers: { "x-api-key": key } };
}

/** A private view; `base` is the path of the address that a client is given. */
export async function addView(
  tenantId: string,
  { addresses = null, endsAt = null }: { addresses?: string[] | null; endsAt?: Date | null } = {},
): Promise<{ id: string; base: string; secret: string }> {
  const secret = generateViewSecret();
  const id = crypto.randomUUID();
  await db.execute(sql`
    insert into registry_view (id, tenant_id, name, secret_hash, addresses, ends_at)
    values (${id}::uuid, ${tenantId}, 'Editors', ${await sha256(secret)},
      ${addresses === null ? sql`null` : sql`${sql.param(addresses)}`}::text[], ${endsAt?.toISOString() ?? null}::timestamptz)`);
  return { id, secret, base: `/r/${secret}` };
}

/** Nobody's word, to find one's own servers by among those of other tests. */
export const newWord = () => `w${crypto.randomUUID().replaceAll("-", "").slice(0, 12)}`;

export async function read<Body>(path: string, headers: Record<string, string> = {}): Promise<Body> {
  const answer = await request(path, { headers });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export const namesIn = ({ servers }: Pick<ListAnswer, "servers">) => servers.map(({ server }) => server.name);

/** Requests to Postgres that were about servers of the registry, each with its statements. */
export async function registryRequests(): Promise<string[][]> {
  const { log } = await stats();
  return log.map(({ what }) => what).filter((labels) => labels.some((label) => label.includes("registry_version")));
}

/** The answer is problem details, with the member that publishing tools read. */
export async function expectProblem(answer: Response, status: number): Promise<void> {
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const problem = await answer.json<{ detail: string; error: string }>();
  expect(problem.error).toBe(problem.detail);
  expect(problem.detail).not.toBe("");
}
