// What the stories about admission share: rules of keys and tenants changed as the product changes them, and a look into Redis.
import { eq, sql } from "drizzle-orm";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { auditShardOf } from "../../src/access/admission/admission.ts";
import { apikey, jwks, user as userTable } from "../../src/identity/schema.ts";
import { scopesToPermissions, type Scope } from "../../src/identity/scopes.ts";
import { apiKeyPolicy } from "../../src/keys/schema.ts";
import { generateApiKey } from "../../src/keys/token.ts";
import { tenantPolicy } from "../../src/limits/schema.ts";
import { flushOutbox } from "../../src/platform/outbox.ts";
import { sha256 } from "../../src/platform/crypto.ts";
import type { LimitSettings } from "../../src/platform/limit-settings.ts";
import { redisKeys } from "../../src/platform/redis/redis.ts";
import { redisScript, scriptRunner } from "../../src/platform/redis/script.ts";
import { callTool, config, db, eventually, newKey, origin } from "./gateway.ts";

export const runScript = scriptRunner(config);

/** Brings changes to Redis as whoever made them would before answering. */
export async function publish(): Promise<void> {
  const after: Promise<unknown>[] = [];
  await flushOutbox({ db, runScript, background: (work) => void after.push(work) });
  await Promise.all(after);
}

export type PolicyFields = Partial<typeof apiKeyPolicy.$inferInsert>;

export const changePolicy = (keyId: string, fields: PolicyFields) =>
  db.update(apiKeyPolicy).set(fields).where(eq(apiKeyPolicy.keyId, keyId));

/** A key that is held to these rules, in force. */
export async function keyWith(
  fields: PolicyFields,
  options: Parameters<typeof newKey>[0] = {},
): Promise<{ key: string; id: string; userId: string; tenantId: string }> {
  const made = await newKey(options);
  await changePolicy(made.id, fields);
  await publish();
  return { ...made, tenantId: fields.tenantId ?? `personal-${made.userId}` };
}

export const giveTenant = (tenantId: string, limits: LimitSettings) =>
  db
    .insert(tenantPolicy)
    .values({ tenantId, limits })
    .onConflictDoUpdate({ target: tenantPolicy.tenantId, set: { limits } });

const GET = redisScript("return redis.call('GET', KEYS[1])");
const DELETE = redisScript("return redis.call('DEL', KEYS[1])");

export const redisText = async (key: string) => (await runScript(GET, [key], [])) as string | null;

export const forget = (key: string) => runScript(DELETE, [key], []);

/** Makes Redis forget a key's record: the next call has to ask Postgres. */
export const forgetRecord = async (key: string) => forget(redisKeys.keyRecord(await sha256(key)));

/** What is counted for calls of a key, as Redis keeps it. */
export const countsOf = ({ id, userId, tenantId }: { id: string; userId: string; tenantId: string }) =>
  Promise.all(
    [
      redisKeys.bucket("credential", id),
      redisKeys.bucket("user", userId),
      redisKeys.bucket("tenant", tenantId),
      redisKeys.quota(id),
    ].map(redisText),
  );

/** The calls that are left of a limit, by the header of an answer. */
export function leftOf(response: Response, tier: string): number | undefined {
  const left = new RegExp(`"${tier}";r=(\\d+)`).exec(response.headers.get("ratelimit") ?? "")?.[1];
  return left === undefined ? undefined : Number(left);
}

export interface AuditedRow extends Record<string, unknown> {
  id: string;
  event: string;
  outcome: string;
  code: string | null;
  target: string | null;
  detail: Readonly<Record<string, unknown>>;
}

/** What the audit log has of a credential, oldest first. */
export const auditRows = async (credentialId: string): Promise<AuditedRow[]> =>
  (await db.execute<AuditedRow>(sql`select * from audit_log where credential_id = ${credentialId} order by at, id`))
    .rows;

/** The same, once there are so many. */
export const auditedOf = (credentialId: string, count: number) =>
  eventually(async () => {
    const rows = await auditRows(credentialId);
    return rows.length >= count ? rows : undefined;
  });

const RANGE = redisScript("return redis.call('XRANGE', KEYS[1], '-', '+')");
const APPEND = redisScript("return redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])");

export interface StreamEntry {
  /** `i`, what is about to happen, or `o`, what came of it. */
  kind: string;
  row: Partial<AuditedRow>;
}

/** What waits in Redis for the audit log, of one credential of a tenant. */
export async function waitingOf(tenantId: string, credentialId: string): Promise<StreamEntry[]> {
  const entries = (await runScript(RANGE, [redisKeys.auditStream(auditShardOf(tenantId))], [])) as [string, string[]][];
  return entries
    .filter(([, fields]) => fields.join().includes(credentialId))
    .map(([, [kind = "", text = ""]]) => ({ kind, row: JSON.parse(text) as Partial<AuditedRow> }));
}

/** Leaves an entry in a tenant's stream, as an isolate would. */
export const leave = (tenantId: string, kind: string, text: string) =>
  runScript(APPEND, [redisKeys.auditStream(auditShardOf(tenantId))], [kind, text]);

/** Makes a call and waits until it is written down: then nothing that came before it is still to be written. */
export async function settled(): Promise<void> {
  const { key, id, userId } = await newKey();
  await callTool("echo", { text: "x" }, { key });
  await auditedOf(id, 1);
  await eventually(async () => ((await waitingOf(`personal-${userId}`, id)).length === 0 ? true : undefined));
}

/** Somebody with a key. */
export interface Holder {
  userId: string;
  tenantId: string;
  keyId: string;
  key: string;
}

/** Many people at once, each with a key that acts in the personal tenant. */
export async function newHolders(count: number, scopes: readonly Scope[]): Promise<Holder[]> {
  const now = new Date();
  const permissions = JSON.stringify(scopesToPermissions(scopes));
  const holders = Array.from({ length: count }, () => {
    const userId = `test-${crypto.randomUUID()}`;
    return { userId, tenantId: `personal-${userId}`, keyId: crypto.randomUUID(), key: generateApiKey("test") };
  });
  const people = holders.map(({ userId: id }) => ({
    id,
    name: "Test user",
    email: `${id}@example.com`,
    emailVerified: true,
  }));
  await db.insert(userTable).values(people);
  await db.execute(sql`insert into organization (id, name, slug, created_at)
    select 'personal-' || id, name, 'personal-' || id, now() at time zone 'utc' from "user"
    where id = any(${sql.param(people.map(({ id }) => id))}::text[])`);
  const rows = holders.map(async ({ userId, keyId, key }) => ({
    id: keyId,
    name: "Test key",
    referenceId: userId,
    key: await sha256(key),
    permissions,
    enabled: true,
    rateLimitEnabled: false,
    requestCount: 0,
    createdAt: now,
    updatedAt: now,
  }));
  await db.insert(apikey).values(await Promise.all(rows));
  return holders;
}

export interface TokenClaims {
  userId: string;
  tenantId: string;
  clientId: string;
  grantId: string;
  scope: string;
}

/** Signs access tokens like the token endpoint, hundreds of them in a moment. The framework sees an expired key, and signs with its own. */
export async function tokenSigner(): Promise<(claims: TokenClaims) => Promise<string>> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const id = crypto.randomUUID();
  const day = (text: string) => new Date(`${text}T00:00:00Z`);
  await db.insert(jwks).values({
    id,
    publicKey: JSON.stringify(await exportJWK(publicKey)),
    privateKey: "none",
    alg: "ES256",
    crv: "P-256",
    createdAt: day("2020-01-01"),
    expiresAt: day("2020-01-02"),
  });
  return ({ userId, tenantId, clientId, grantId, scope }) =>
    new SignJWT({ tenant: tenantId, scope, grant: grantId, client_id: clientId })
      .setProtectedHeader({ alg: "ES256", kid: id, typ: "at+jwt" })
      .setIssuer(origin)
      .setAudience(`${origin}/mcp`)
      .setSubject(userId)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime("15 minutes")
      .sign(privateKey);
}
