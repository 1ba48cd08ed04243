import type { SecondaryStorage } from "@better-auth/core/db";
import { and, asc, eq, gt } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { redisKeys, type Redis } from "../../platform/redis/redis.ts";
import { session, user } from "../../identity/schema.ts";
import { aboutSessions } from "./session-faults.ts";
import { takenValue } from "./token-request.ts";
import { countTry } from "../../limits/tries.ts";

export interface StorageDeps {
  redis: Pick<Redis, "get" | "set" | "del" | "getdel" | "eval">;
  db: Pick<Db, "select" | "execute">;
}

/**
 * Better Auth's keys: a session is stored under its token, the tokens of a person under `active-sessions-` and their
 * id.
 */
const SESSION = /^[A-Za-z0-9]{32}$/;
const SESSIONS_OF = "active-sessions-";
const MAX_SESSIONS = 100;

const isOfSessions = (key: string) => SESSION.test(key) || key.startsWith(SESSIONS_OF);

/**
 * Better Auth's `secondaryStorage`. One-time codes are in Redis only; without Redis there are none. The counts of its
 * rate limiter are in Redis, or in Postgres while Redis does not answer. Sessions are read from the rows that Better
 * Auth writes itself, not copied to Redis: a copy could outlive its session, because Better Auth reports a sign-out as
 * done even when Redis did not delete the copy. TTLs are in seconds.
 */
export function authStorage({ redis, db }: StorageDeps): SecondaryStorage {
  return {
    get: (key) => {
      if (SESSION.test(key)) return aboutSessions(() => sessionOf(db, key));
      if (key.startsWith(SESSIONS_OF)) return aboutSessions(() => sessionsOf(db, key.slice(SESSIONS_OF.length)));
      return redis.get<string>(redisKeys.auth(key));
    },
    set: async (key, value, ttl) => {
      if (isOfSessions(key)) return;
      await redis.set(redisKeys.auth(key), value, ttl !== undefined && ttl > 0 ? { ex: Math.ceil(ttl) } : undefined);
    },
    delete: async (key) => {
      if (!isOfSessions(key)) await redis.del(redisKeys.auth(key));
    },
    getAndDelete: async (key) => takenValue(key) ?? redis.getdel<string>(redisKeys.auth(key)),
    increment: async (key, ttl) => {
      const { count } = await countTry({ redis, db }, redisKeys.auth(key), Math.max(1, Math.ceil(ttl)));
      return count;
    },
  };
}

/** A session and its user in the form in which Better Auth would have stored them; null when there is none. */
async function sessionOf(db: Pick<Db, "select">, token: string): Promise<string | null> {
  const [found] = await db
    .select({ session, user })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .where(eq(session.token, token))
    .limit(1);
  return found ? JSON.stringify(found) : null;
}

/** The valid sessions of a person, soonest expiry first. */
async function sessionsOf(db: Pick<Db, "select">, userId: string): Promise<string | null> {
  const found = await db
    .select({ token: session.token, expiresAt: session.expiresAt })
    .from(session)
    .where(and(eq(session.userId, userId), gt(session.expiresAt, new Date())))
    .orderBy(asc(session.expiresAt))
    .limit(MAX_SESSIONS);
  const list = found.map(({ token, expiresAt }) => ({ token, expiresAt: expiresAt.getTime() }));
  return list.length > 0 ? JSON.stringify(list) : null;
}
