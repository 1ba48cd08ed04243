import { sha256 } from "../../platform/crypto.ts";
import { redisKeys, type Redis } from "../../platform/redis/redis.ts";

/** What is known about a client metadata document before it is fetched. */
export type DocumentState =
  /** It was valid, and is still fresh by its cache headers. */
  | "good"
  /** It was invalid, or could not be fetched, a few seconds ago. */
  | "bad"
  /** Another request is fetching it. */
  | "busy"
  /** The limit of fetches per minute is reached, for its origin or for all. */
  | "over"
  /** This request is to fetch it. */
  | "fetch";

const BUDGET = { perOrigin: 30, all: 300 };
/** Longer than a fetch can take. */
const LOCK_SECONDS = 8;
const BAD_SECONDS = 10;

const BEGIN = `#!lua flags=allow-key-locking
local known = redis.call('GET', KEYS[1])
if known then return known end
for i = 2, 3 do
  local count = redis.call('INCR', KEYS[i])
  if count == 1 then redis.call('EXPIRE', KEYS[i], 60) end
  if count > tonumber(ARGV[i]) then return 'over' end
end
redis.call('SET', KEYS[1], 'busy', 'EX', ARGV[1])
return 'fetch'`;

type StateRedis = Pick<Redis, "eval" | "set">;

/**
 * Whether a document must be fetched. If so, lets one request among all isolates do it, within the limits. One Redis
 * request.
 */
export async function beginFetch(redis: Pick<StateRedis, "eval">, clientId: string): Promise<DocumentState> {
  const origin = await sha256(new URL(clientId).origin);
  const keys = [await keyOf(clientId), redisKeys.metadataBudget(origin), redisKeys.metadataBudget("all")];
  const limits = [LOCK_SECONDS, BUDGET.perOrigin, BUDGET.all].map(String);
  return redis.eval<string[], DocumentState>(BEGIN, keys, limits);
}

/** Stores the result of a fetch: a valid document for `goodSeconds`, an invalid one for some seconds. */
export async function endFetch(
  redis: Pick<StateRedis, "set">,
  clientId: string,
  goodSeconds: number | "bad",
): Promise<void> {
  const [state, ex] = goodSeconds === "bad" ? (["bad", BAD_SECONDS] as const) : (["good", goodSeconds] as const);
  await redis.set(await keyOf(clientId), state, { ex });
}

const keyOf = async (clientId: string) => redisKeys.metadata(await sha256(clientId));
