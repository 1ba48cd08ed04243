// What the audit log says of accounts.
import { sql } from "drizzle-orm";
import { personalTenantId } from "../../src/identity/standing.ts";
import { db, eventually } from "./gateway.ts";

/** An entry as the database keeps it, without its id and time. */
export interface AccountEntry extends Record<string, unknown> {
  event: string;
  outcome: string;
  code: string | null;
  tenant_id: string | null;
  user_id: string | null;
  credential_kind: string | null;
  credential_id: string | null;
  target: string | null;
  request_id: string;
  ip: string | null;
  user_agent: string | null;
  detail: Record<string, string | number>;
}

/** The entries of accounts and sessions in a person's own organization, oldest first, once there are so many. */
export const entriesOf = (userId: string, count: number): Promise<AccountEntry[]> =>
  entriesWhen(count, sql`tenant_id = ${personalTenantId(userId)}`);

/** The entries with this request's id, which a stranger has caused. */
export const entriesFrom = (address: string, count: number): Promise<AccountEntry[]> =>
  entriesWhen(count, sql`ip = ${address}`);

function entriesWhen(count: number, condition: ReturnType<typeof sql>): Promise<AccountEntry[]> {
  return eventually(async () => {
    const { rows } = await db.execute<AccountEntry>(sql`
      select event, outcome, code, tenant_id, user_id, credential_kind, credential_id, target, request_id, ip, user_agent, detail
      from audit_log where ${condition} and (event like 'account.%' or event like 'session.%') order by at, id`);
    return rows.length >= count ? rows : undefined;
  });
}

/** An entry in a word or three. */
export const inShort = ({ event, code, detail }: AccountEntry): string =>
  [event, code, detail["method"]].filter((part) => typeof part === "string").join(" ");
