// API keys as people manage them: the form for a new one, its page, and what Postgres keeps of it.
import { sql } from "drizzle-orm";
import { sha256 } from "../../src/platform/crypto.ts";
import { pageOf, type Page } from "./browsing.ts";
import { db } from "./gateway.ts";
import type { Member } from "./organizations.ts";

export const KEYS = "/dashboard/keys";
export const NEW = `${KEYS}/new`;
/** The field with the new key, on the one page that has it. */
export const KEY_FIELD = /<input id="key"[^>]* value="([^"]*)"/;

/** A page that does not lead away. */
export const open = async ({ browser }: Member, path: string): Promise<Page> => pageOf(await browser.open(path));

/** Fills in the form for a new key. */
export async function make(member: Member, fields: Readonly<Record<string, string>> = {}): Promise<Page> {
  const usual = {
    name: "Nightly job",
    owner: "user",
    tenant: member.person.tenantId,
    scope: "mcp:tools",
    expiry: "90",
  };
  const page = await open(member, NEW);
  return pageOf(await member.browser.submit(page, NEW, { ...usual, period: "month", ...fields }));
}

/** The key on a page that shows one. */
export const keyOn = ({ html }: Page): string => KEY_FIELD.exec(html)?.[1] ?? "";

/** An API key and its policy. */
export interface Row extends Record<string, unknown> {
  id: string;
  name: string;
  config_id: string;
  reference_id: string;
  enabled: boolean;
  permissions: string;
  expires: string | null;
  tenant_id: string;
  servers: string[] | null;
  tools: string[] | null;
  addresses: string[] | null;
  per_minute: number | null;
  burst: number | null;
  quota_max: string | null;
  quota_period: string | null;
  revoked_at: string | null;
  rotated_to: string | null;
}

const rows = async (where: ReturnType<typeof sql>): Promise<Row[]> =>
  (
    await db.execute<Row>(sql`
      select k.*, p.*, extract(epoch from k.expires_at - now() at time zone 'utc') as expires
      from apikey k join api_key_policy p on p.key_id = k.id where ${where} order by k.created_at`)
  ).rows;

/** What Postgres has of a key. */
export async function rowOf(key: string): Promise<Row> {
  const [row] = await rows(sql`k.key = ${await sha256(key)}`);
  if (!row) throw new Error("there is no such key");
  return row;
}

/** A person's own keys, the oldest first. */
export const rowsOf = (member: Member) => rows(sql`k.reference_id = ${member.person.id}`);

/** A key of this member, and the path of its page. */
export async function madeKey(member: Member, fields: Readonly<Record<string, string>> = {}) {
  const key = keyOn(await make(member, fields));
  const { id } = await rowOf(key);
  return { key, id, path: `${KEYS}/${id}` };
}

/** Sends one of the forms of a key's page. */
export async function act(member: Member, path: string, action: string, fields: Readonly<Record<string, string>> = {}) {
  const page = await open(member, action === "revoke" ? `${path}/revoke` : path);
  return pageOf(await member.browser.submit(page, `${path}/${action}`, fields));
}

/** The form of what a key may do, with no limits. */
export const LIMITS = {
  scope: "mcp:tools",
  servers: "",
  tools: "",
  addresses: "",
  per_minute: "",
  burst: "",
  quota: "",
};
