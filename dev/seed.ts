import { createHash, randomBytes } from "node:crypto";
import { hashPassword } from "better-auth/crypto";
import { sql } from "drizzle-orm";
import { account, apikey, user } from "../src/identity/schema.ts";
import { KEY_SCOPES, scopesToPermissions, type Scope } from "../src/identity/scopes.ts";
import { ensurePersonalTenant } from "../src/auth/account/arrival.ts";
import { apiToken } from "../src/keys/schema.ts";
import { generateApiKey, KEY_START_LENGTH } from "../src/keys/token.ts";
import { parseConfig } from "../src/platform/config.ts";
import { sha256 } from "../src/platform/crypto.ts";
import { connectDatabases, type Db } from "../src/platform/postgres/db.ts";
import { upstreamServer } from "../src/upstreams/schema.ts";

export interface Login {
  email: string;
  password: string;
}

/** Credentials of the demo data; made once per installation. */
export interface SeedSecrets {
  admin: Login;
  user: Login;
  otherUser: Login;
  apiKey: string;
  readOnlyApiKey: string;
  legacyToken: string;
}

export type Seeded = SeedSecrets;

const READ_ONLY: readonly Scope[] = ["mcp-registry:read", "keys:read", "audit:read"];
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  everything: "Every kind of MCP tool, resource and prompt, for trying clients out",
  notes: "Keeps short notes for each user",
};

const login = (name: string): Login => ({
  email: `${name}@example.com`,
  password: randomBytes(12).toString("base64url"),
});

export const newSeedSecrets = (): SeedSecrets => ({
  admin: login("admin"),
  user: login("user"),
  otherUser: login("other"),
  apiKey: generateApiKey("test"),
  readOnlyApiKey: generateApiKey("test"),
  legacyToken: `legacy_${randomBytes(24).toString("base64url")}`,
});

/** Writes the demo data: three verified users, two API keys, a legacy token, the demo upstreams. It can be repeated. */
export async function seed(
  settings: Record<string, string>,
  secrets: SeedSecrets,
  upstreams: readonly { slug: string; url: string }[],
): Promise<Seeded> {
  const parsed = parseConfig(settings);
  if ("problems" in parsed) throw new Error(`local settings are wrong: ${JSON.stringify(parsed.problems)}`);
  const db = connectDatabases(parsed.config).write;
  const { ADMIN_EMAILS } = parsed.config;
  await seedUser(db, "demo-admin", "Admin", secrets.admin, ADMIN_EMAILS);
  const tenant = await seedUser(db, "demo-user", "User", secrets.user, ADMIN_EMAILS);
  await seedUser(db, "demo-other", "Other user", secrets.otherUser, ADMIN_EMAILS);
  const grantable = KEY_SCOPES.filter((scope) => scope !== "admin");
  await seedKey(db, "demo-key", "Demo key", secrets.apiKey, grantable);
  await seedKey(db, "demo-read-only-key", "Read-only demo key", secrets.readOnlyApiKey, READ_ONLY);
  const tokenHash = createHash("sha256").update(secrets.legacyToken).digest("hex");
  await db
    .insert(apiToken)
    .values({ id: "demo-legacy-token", userId: "demo-user", name: "Legacy token", tokenHash, scopes: ["publish"] })
    .onConflictDoNothing();
  for (const { slug, url } of upstreams) {
    const row = { id: `demo-${slug}`, tenantId: tenant, slug, name: slug, description: DESCRIPTIONS[slug] ?? "", url };
    await db
      .insert(upstreamServer)
      .values(row)
      .onConflictDoUpdate({ target: upstreamServer.id, set: { url, updatedAt: sql`now()` } });
  }
  return secrets;
}

async function seedUser(
  db: Db,
  id: string,
  name: string,
  { email, password }: Login,
  admins: readonly string[],
): Promise<string> {
  const now = new Date();
  const [made] = await db
    .insert(user)
    .values({ id, name, email, emailVerified: true })
    .onConflictDoNothing()
    .returning();
  if (made) {
    const row = {
      id: `${id}-password`,
      accountId: id,
      providerId: "credential",
      userId: id,
      createdAt: now,
      updatedAt: now,
    };
    await db.insert(account).values({ ...row, password: await hashPassword(password) });
  }
  return ensurePersonalTenant(db, id, admins);
}

async function seedKey(db: Db, id: string, name: string, key: string, scopes: readonly Scope[]): Promise<void> {
  const now = new Date();
  await db
    .insert(apikey)
    .values({
      id,
      name,
      configId: "default",
      referenceId: "demo-user",
      key: await sha256(key),
      prefix: null,
      start: key.slice(0, KEY_START_LENGTH),
      enabled: true,
      rateLimitEnabled: false,
      requestCount: 0,
      permissions: JSON.stringify(scopesToPermissions(scopes)),
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoNothing();
}
