import { createHash, createHmac } from "node:crypto";
import type { Client } from "pg";

/** The tables of a deployment of the old two-system design, which `npm run legacy:import` leads out of. */
const CONFLICTED_SCHEMA = `
-- Users as Better Auth 1.3 kept them.
create table "user" (
  id text primary key, name text not null, email text not null unique, email_verified boolean not null default false,
  image text, created_at timestamp not null default now(), updated_at timestamp not null default now());

-- Legacy registry tokens, original columns. token_hash = lower-case hex SHA-256 of the whole token (64 characters).
create table api_token (
  id text primary key, user_id text not null references "user"(id) on delete cascade, name text not null,
  token_hash text not null unique, scopes text[] not null default '{}',
  last_used_at timestamptz, expires_at timestamptz, revoked_at timestamptz, created_at timestamptz not null default now());

-- Migration 20250913223220: Better Auth's fields mixed in. A row is a Better Auth key if and only if "start" is not null;
-- its token_hash is then base64url SHA-256 without padding (43 characters), or hex where it was converted by hand.
-- A row may serve both ways: it then stays valid for publishing and is exported as well.
alter table api_token
  add column "permissions" text, add column "start" text, add column "prefix" text,
  add column "rate_limit_enabled" boolean, add column "rate_limit_max" integer, add column "rate_limit_time_window" integer;
-- Migration 20250914000514
alter table api_token
  add column "request_count" integer, add column "remaining" integer, add column "refill_interval" integer, add column "refill_amount" integer,
  add column "last_refill_at" timestamp, add column "last_request" timestamp, add column "metadata" text, add column "enabled" boolean default true, add column "updated_at" timestamp;

-- Better Auth's own table as version 1.3 generated it (user_id; today's version has config_id and reference_id).
create table "apiKey" (
  id text primary key, name text, start text, prefix text, key text not null, user_id text not null references "user"(id) on delete cascade,
  refill_interval integer, refill_amount integer, last_refill_at timestamp, enabled boolean default true,
  rate_limit_enabled boolean default true, rate_limit_time_window integer default 86400000, rate_limit_max integer default 10,
  request_count integer, remaining integer, last_request timestamp, expires_at timestamp, created_at timestamp not null, updated_at timestamp not null,
  permissions text, metadata text);

-- The third table. key_prefix = the first 12 characters of the key; lookup is by prefix (several rows can share one), then a constant-time compare.
-- key_hash: hex of sha256(salt || key) or hmac-sha256(key = salt, message = key), by hash_algo; salt is hex.
create table enhanced_api_keys (
  id text primary key, user_id text not null references "user"(id) on delete cascade, name text not null,
  key_prefix varchar(12) not null, key_hash text not null, salt text not null, hash_algo text not null check (hash_algo in ('sha256', 'hmac-sha256')),
  scopes text[] not null default '{}', ip_whitelist cidr[], failed_attempts integer not null default 0, locked_until timestamptz,
  circuit_state text not null default 'closed' check (circuit_state in ('closed', 'open', 'half_open')),
  is_active boolean not null default true, expires_at timestamptz, last_used_at timestamptz, created_at timestamptz not null default now());
create index on enhanced_api_keys (key_prefix);
`;

/** The moment at which the old system is asked whether a key works, and the import is made. Epoch milliseconds. */
export const NOW = Date.UTC(2026, 0, 15, 12);

/** A secret of somebody's, and what the old system did with it at {@link NOW}. */
export interface OldSecret {
  /** The row and what is special about it. */
  label: string;
  secret: string;
  /** As an API key. */
  worked: boolean;
  /** As a registry token, for publishing. */
  published: boolean;
  salted: boolean;
}

type Row = Record<string, unknown>;

/** Rows by table, and the secrets that belong to them. */
export interface ConflictedRows {
  tables: Record<"user" | "api_token" | "apiKey" | "enhanced_api_keys", Row[]>;
  secrets: OldSecret[];
}

const DAY = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();
const utc = (ms: number) => iso(ms).replace("Z", "");
const PAST = NOW - DAY;
const FUTURE = NOW + 30 * DAY;

const digest = (secret: string) => createHash("sha256").update(secret).digest();
const HASHES = {
  base64url: (secret: string) => digest(secret).toString("base64url"),
  hex: (secret: string) => digest(secret).toString("hex"),
  "upper hex": (secret: string) => digest(secret).toString("hex").toUpperCase(),
};

/** What can be special about a Better Auth key, and whether such a key worked. `expires_at` is as milliseconds: the tables differ in type. */
const KEY_STATES: Record<
  string,
  { worked: boolean; row?: Row; expires?: number | "infinity" | "-infinity"; revoked?: true }
> = {
  plain: { worked: true },
  "enabled unknown": { worked: true, row: { enabled: null } },
  disabled: { worked: false, row: { enabled: false } },
  "expires later": { worked: true, expires: FUTURE },
  "expires never": { worked: true, expires: "infinity" },
  "expired ever": { worked: false, expires: "-infinity" },
  expired: { worked: false, expires: PAST },
  "expired this second": { worked: false, expires: NOW },
  "expired and disabled": { worked: false, expires: PAST, row: { enabled: false } },
  revoked: { worked: false, revoked: true },
  "calls left": { worked: true, row: { remaining: 5 } },
  "used up": { worked: false, row: { remaining: 0 } },
  "below zero": { worked: false, row: { remaining: -3 } },
  "used up, half a refill": { worked: false, row: { remaining: 0, refill_amount: 10 } },
  "calls left, refilled": { worked: true, row: { remaining: 7, refill_amount: 100, refill_interval: 3_600_000 } },
  "used up, refill due": {
    worked: true,
    row: { remaining: 0, refill_amount: 10, refill_interval: 3_600_000, last_refill_at: utc(PAST) },
  },
  "used up, refill pending": {
    worked: false,
    row: { remaining: 0, refill_amount: 10, refill_interval: 2 * DAY, last_refill_at: utc(PAST) },
  },
  "refill without a count": { worked: true, row: { refill_amount: 10, refill_interval: DAY } },
  "limited by the day": {
    worked: true,
    row: { rate_limit_enabled: true, rate_limit_max: 10, rate_limit_time_window: DAY },
  },
  "limited by the second": { worked: true, row: { rate_limit_max: 2_000_000_000, rate_limit_time_window: 1 } },
  "limited to nothing": { worked: true, row: { rate_limit_max: 0, rate_limit_time_window: 60_000 } },
  "not limited": {
    worked: true,
    row: { rate_limit_enabled: false, rate_limit_max: 1, rate_limit_time_window: 60_000 },
  },
  "window of nothing": {
    worked: true,
    row: { rate_limit_enabled: true, rate_limit_max: 1, rate_limit_time_window: 0 },
  },
};

const PERMISSIONS = [
  null,
  "{}",
  '{"mcp":["tools"]}',
  '{"mcp-registry":["read","write"],"files":["read"]}',
  '{"files":["read"]}',
  "no json {",
  '{"admin":["*"],"openid":["*"]}',
  "[]",
];
const METADATA = [null, '{"organization":"blue"}', '"{\\"twice\\":true}"', "no json"];

const ENHANCED_STATES: Record<string, { worked: boolean; row?: Row }> = {
  plain: { worked: true },
  inactive: { worked: false, row: { is_active: false } },
  "expires later": { worked: true, row: { expires_at: iso(FUTURE) } },
  expired: { worked: false, row: { expires_at: iso(PAST) } },
  locked: { worked: false, row: { locked_until: iso(FUTURE), failed_attempts: 9 } },
  "locked for ever": { worked: false, row: { locked_until: "infinity" } },
  "lock over": { worked: true, row: { locked_until: iso(PAST) } },
  "circuit open": { worked: false, row: { circuit_state: "open" } },
  "circuit half open": { worked: true, row: { circuit_state: "half_open" } },
  "from some addresses": { worked: true, row: { ip_whitelist: ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"] } },
  "from an empty list": { worked: true, row: { ip_whitelist: [] } },
  "known scopes": { worked: true, row: { scopes: ["mcp:tools", "keys:read", "files"] } },
  "unknown scopes": { worked: true, row: { scopes: ["files"] } },
};

/** Every kind of row that the old design could leave behind, hundreds of them, always the same. */
export function conflictedRows(): ConflictedRows {
  const rows: ConflictedRows = {
    tables: { user: users(), api_token: [], apiKey: [], enhanced_api_keys: [] },
    secrets: [],
  };
  addKeys(rows);
  addTokens(rows);
  addDuplicates(rows);
  addUnusable(rows);
  addSalted(rows);
  return rows;
}

/** Two addresses differ but for their case, and so do two ids. */
const PEOPLE = {
  ada: "ada@example.com",
  ADA: "ADA@Example.com",
  bo: "Bo@Example.com",
  cy: "cy@example.com",
  dee: "dee@example.com",
  eve: "eve@example.com",
  fay: "fay@example.com",
};

const users = (): Row[] =>
  Object.entries(PEOPLE).map(([id, email], i) => ({
    id,
    name: `Person ${i}`,
    email,
    email_verified: i % 2 === 0,
    image: i === 3 ? "https://example.com/cy.png" : null,
    created_at: utc(PAST - i * DAY),
    updated_at: utc(PAST),
  }));

const userOf = (i: number) => Object.keys(PEOPLE)[i % 7];

function addKeys({ tables, secrets }: ConflictedRows): void {
  let i = 0;
  for (const [state, { worked, row = {}, expires, revoked }] of Object.entries(KEY_STATES)) {
    for (const [form, hash] of Object.entries(HASHES)) {
      for (const table of ["apiKey", "api_token"] as const) {
        if (revoked && table === "apiKey") continue;
        i += 1;
        const label = `${table} ${form} ${state}`;
        const secret = `old_${i}_${"k".repeat(40)}`;
        tables[table].push({
          ...keyRow(table, `key${i}`, hash(secret), i),
          ...row,
          ...expiry(table, expires),
          ...(revoked && { revoked_at: iso(PAST) }),
        });
        const live = expires === undefined || expires === "infinity" || expires === FUTURE;
        secrets.push({
          label,
          secret,
          worked,
          published: table === "api_token" && form === "hex" && live && !revoked,
          salted: false,
        });
      }
    }
  }
}

function expiry(table: "apiKey" | "api_token", expires: number | string | undefined): Row {
  if (expires === undefined) return {};
  return { expires_at: typeof expires === "string" ? expires : table === "apiKey" ? utc(expires) : iso(expires) };
}

/** A Better Auth key of either table, with nothing special but what `i` picks of permissions and metadata. */
function keyRow(table: "apiKey" | "api_token", id: string, hash: string, i: number): Row {
  const shared = {
    id,
    user_id: userOf(i),
    name: `Key ${i}`,
    start: "old_",
    prefix: i % 2 ? "old_" : null,
    enabled: true,
    permissions: PERMISSIONS[i % PERMISSIONS.length],
    metadata: METADATA[i % METADATA.length],
    request_count: i,
    last_request: i % 3 ? utc(PAST - i) : null,
  };
  if (table === "apiKey") return { ...shared, key: hash, created_at: utc(PAST - 90 * DAY), updated_at: utc(PAST) };
  return { ...shared, token_hash: hash, scopes: ["publish"], created_at: iso(PAST - 90 * DAY) };
}

/** Registry tokens that were never mixed with anything. */
function addTokens({ tables, secrets }: ConflictedRows): void {
  const states: [string, Row, boolean][] = [
    ["plain", {}, true],
    ["expires later", { expires_at: iso(FUTURE) }, true],
    ["expired", { expires_at: iso(PAST) }, false],
    ["revoked", { revoked_at: iso(PAST) }, false],
    ["used", { last_used_at: "2026-01-02T03:04:05.678901Z", scopes: [] }, true],
  ];
  for (let i = 0; i < 20; i++) {
    const [state, row, published] = states[i % states.length] ?? ["", {}, false];
    const secret = `token_${i}_${"t".repeat(40)}`;
    tables.api_token.push({
      id: `token${i}`,
      user_id: userOf(i),
      name: `Token ${i}`,
      token_hash: HASHES.hex(secret),
      scopes: ["publish", `s${i}`],
      created_at: iso(PAST),
      ...row,
    });
    secrets.push({ label: `token ${state}`, secret, worked: false, published, salted: false });
  }
}

/** One key in both tables, or twice in one: the stricter row decides. */
function addDuplicates({ tables, secrets }: ConflictedRows): void {
  const kinds: [string, own: Row, mixed: Row, worked: boolean][] = [
    ["alike", {}, {}, true],
    ["one disabled", {}, { enabled: false }, false],
    ["other disabled", { enabled: false }, {}, false],
    ["one expired", {}, { expires_at: iso(PAST) }, false],
    ["one used up", { remaining: 0 }, {}, false],
    ["one revoked", {}, { revoked_at: iso(PAST) }, false],
    ["two quotas", { remaining: 9 }, { remaining: 4 }, true],
    ["two owners", { user_id: "bo" }, { user_id: "cy" }, true],
    [
      "two rates",
      { rate_limit_max: 60, rate_limit_time_window: 60_000 },
      { rate_limit_max: 6, rate_limit_time_window: 60_000 },
      true,
    ],
    [
      "two permissions",
      { permissions: '{"mcp":["tools"],"keys":["read"]}' },
      { permissions: '{"keys":["read"]}' },
      true,
    ],
    ["one id", { id: "one-id" }, { id: "one-id" }, true],
  ];
  for (const [i, [label, own, mixed, worked]] of kinds.entries()) {
    const secret = `twice_${i}_${"d".repeat(40)}`;
    tables.apiKey.push({ ...keyRow("apiKey", `own${i}`, HASHES.base64url(secret), 2), ...own });
    if (i % 3 === 0)
      tables.apiKey.push({ ...keyRow("apiKey", `again${i}`, HASHES.hex(secret), 2), ...own, id: `again${i}` });
    tables.api_token.push({ ...keyRow("api_token", `mixed${i}`, HASHES.hex(secret), 2), ...mixed });
    const published = mixed["revoked_at"] === undefined && mixed["expires_at"] === undefined;
    secrets.push({ label: `twice: ${label}`, secret, worked, published, salted: false });
  }
  const [first, second] = [`clash_1_${"c".repeat(40)}`, `clash_2_${"c".repeat(40)}`];
  tables.apiKey.push(keyRow("apiKey", "clash", HASHES.base64url(first), 2));
  tables.api_token.push(keyRow("api_token", "clash", HASHES.base64url(second), 2));
  for (const secret of [first, second])
    secrets.push({ label: "an id used twice", secret, worked: true, published: false, salted: false });
}

/** Rows that no key could ever have matched. */
function addUnusable({ tables, secrets }: ConflictedRows): void {
  for (const [i, hash] of [
    "plain-text-key",
    "$2b$10$abcdefghijklmnopqrstuv",
    `${"A".repeat(43)}=`,
    "ab".repeat(31),
  ].entries()) {
    tables.apiKey.push(keyRow("apiKey", `unusable${i}`, hash, i));
    tables.api_token.push(keyRow("api_token", `unusable-token${i}`, hash, i));
    secrets.push({ label: "its own hash", secret: hash, worked: false, published: false, salted: false });
  }
  const salt = "00".repeat(16);
  tables.enhanced_api_keys.push({ ...saltedRow("unusable", "unusable-key", salt, 0), key_hash: "not hex" });
}

/** Salted keys: both ways to hash, the salt's bytes or its letters, and seven prefixes that all of them share. */
function addSalted({ tables, secrets }: ConflictedRows): void {
  let i = 0;
  for (const [state, { worked, row = {} }] of Object.entries(ENHANCED_STATES)) {
    for (const algorithm of ["sha256", "hmac-sha256"] as const) {
      for (const encoding of ["hex", "utf8"] as const) {
        i += 1;
        const secret = `enhanced__${i % 7}_${i}_${"e".repeat(30)}`;
        const salt = digest(`salt ${i}`).toString("hex").slice(0, 32);
        const bytes = Buffer.from(salt, encoding);
        const hash = algorithm === "sha256" ? createHash("sha256").update(bytes) : createHmac("sha256", bytes);
        const keyHash = hash.update(secret).digest("hex");
        // The first one has the id of a key of another table.
        const id = i === 1 ? "key1" : `salted${i}`;
        tables.enhanced_api_keys.push({
          ...saltedRow(id, secret, salt, i),
          key_hash: keyHash,
          hash_algo: algorithm,
          ...row,
        });
        secrets.push({
          label: `salted ${algorithm} ${encoding} ${state}`,
          secret,
          worked,
          published: false,
          salted: true,
        });
      }
    }
  }
}

const saltedRow = (id: string, secret: string, salt: string, i: number): Row => ({
  id,
  user_id: userOf(i),
  name: `Salted ${i}`,
  key_prefix: secret.slice(0, 12),
  key_hash: "",
  salt,
  hash_algo: "sha256",
  scopes: i % 2 ? [] : ["mcp:tools"],
  ip_whitelist: null,
  failed_attempts: 0,
  circuit_state: "closed",
  is_active: true,
  created_at: iso(PAST),
});

/** Makes the old tables in an empty database and fills them. */
export async function loadConflictedState(client: Client, { tables }: ConflictedRows): Promise<void> {
  await client.query(CONFLICTED_SCHEMA);
  for (const [table, rows] of Object.entries(tables)) {
    await client.query(`insert into "${table}" select * from jsonb_populate_recordset(null::"${table}", $1::jsonb)`, [
      JSON.stringify(rows),
    ]);
  }
}
