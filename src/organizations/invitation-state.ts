import { sql } from "drizzle-orm";
import { activeSql, mayManageRoleSql } from "../identity/standing.ts";

/**
 * Whether an invitation `i` can be answered: it is pending, it has not expired, and the person who sent it may still
 * give that role. An inviter who loses the role, the membership or the account invalidates their invitations.
 */
export const isOpen = sql`i.status = 'pending' and i.expires_at > now() at time zone 'utc' and exists (
  select 1 from member inviter join "user" person on person.id = inviter.user_id
  where inviter.organization_id = i.organization_id and inviter.user_id = i.inviter_id
    and ${activeSql("person")} and ${mayManageRoleSql(sql`inviter.role`, sql`i.role`)})`;
