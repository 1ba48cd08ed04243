import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import { unauthenticated, type ActorOrigin } from "../../audit/event.ts";
import { throttle, type Throttle } from "../../platform/bounded-map.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { addressRange, canonicalAddress } from "../../platform/ip.ts";
import { instant } from "../../platform/postgres/sql.ts";
import type { ViewAccess } from "../reading/answer-cache.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 43 base62 characters hold 256 bits. */
const SECRET_LENGTH = 43;
const SECRET = new RegExp(`^[0-9A-Za-z]{${SECRET_LENGTH}}$`);

/** Generates the secret of a private view: 256 bits, in letters and digits that can be pasted into a settings file. */
export function generateViewSecret(): string {
  let text = "";
  while (text.length < SECRET_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(SECRET_LENGTH))) {
      // Bytes from 248 (4 × 62) up are discarded, so that all characters are equally likely.
      if (byte < 248 && text.length < SECRET_LENGTH) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}

/** Whether a text has the form of a secret. Other texts need no lookup. */
export const isViewSecret = (text: string): boolean => SECRET.test(text);

/** The columns of a private view that are needed to check a request. */
export interface ViewRow extends Record<string, unknown> {
  id: string;
  tenant_id: string;
  addresses: string[] | null;
  ends_at: string | null;
}

/** The view with this hash of its secret (SHA-256), including an ended one. */
export const viewQuery = (secretHash: string): SQL =>
  sql`select id, tenant_id, addresses, ends_at from registry_view where secret_hash = ${secretHash}`;

export const accessOf = (row: ViewRow | undefined): ViewAccess | undefined =>
  row && {
    id: row.id,
    tenantId: row.tenant_id,
    addresses: row.addresses && row.addresses.flatMap((entry) => [addressRange(entry) ?? []].filter(isRange)),
    endsAt: row.ends_at === null ? null : Date.parse(row.ends_at),
  };

const isRange = (range: readonly string[]): range is readonly [string, string] => range.length === 2;

/**
 * Why a view does not answer now, or not to this address; undefined when it answers. `now` is in epoch milliseconds.
 */
export function viewRefusal(
  { addresses, endsAt }: ViewAccess,
  address: string | null,
  now: number,
): "ended" | "address" | undefined {
  if (endsAt !== null && now >= endsAt) return "ended";
  if (addresses === null) return undefined;
  const canonical = address === null ? undefined : canonicalAddress(address);
  const isFrom = canonical !== undefined && addresses.some(([first, last]) => first <= canonical && canonical <= last);
  return isFrom ? undefined : "address";
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const MAX_NOTED = 5_000;

/** Limits how often this isolate records the use of views. */
export interface UseMemory {
  minutes: Throttle;
  hours: Throttle;
}

export const useMemory = (): UseMemory => ({
  minutes: throttle(MAX_NOTED, MINUTE_MS),
  hours: throttle(MAX_NOTED, HOUR_MS),
});

/**
 * Records that a view was used: the time of its last use at most once a minute, and an audit entry once an hour for
 * each address block. Undefined when there is nothing to write, which is the usual case; otherwise one statement, to
 * run after the answer.
 */
export function noteUse(
  db: Pick<Db, "execute">,
  { minutes, hours }: UseMemory,
  { view, from, block }: { view: Pick<ViewAccess, "id" | "tenantId">; from: ActorOrigin; block: string },
  now: number,
): Promise<unknown> | undefined {
  const isFirstOfMinute = minutes.passes(view.id, now);
  const isFirstOfHour = hours.passes(`${view.id} ${block}`, now);
  if (!isFirstOfMinute && !isFirstOfHour) return undefined;
  return Promise.resolve(
    db.execute(sql`
      with seen as (
        update registry_view set last_used_at = ${instant(now)}
        where id = ${view.id} and (last_used_at is null or last_used_at < ${instant(now)})
      )
      ${changeEntry({
        event: "registry.view_used",
        actor: unauthenticated(from),
        now,
        from: sql`(select ${view.tenantId}::text as tenant_id, ${view.id}::text as target where ${isFirstOfHour}::boolean)`,
      })}`),
  );
}
