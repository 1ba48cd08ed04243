import { sha256 } from "../../platform/crypto.ts";
import { redisKeys, type Redis } from "../../platform/redis/redis.ts";

/** What is known of a client metadata document before it is asked for. */
export type DocumentState =
  /** It was good, a moment ago or for as long as its origin says. */
  | "good"
  /** It was no good a moment ago. */
  | "bad"
  /** Another request is fetching it. */
  | "busy"
  /** Too many documents have been fetched in this minute, from its origin or at all. */
  | "over"
  /** It is this request's to fetch. */
  | "fetch";

const BUDGET = { perOrigin: 30, all: 300 };
/** Longer than a fetch may take. */
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

/** Says whether a document must be fetched, and if so lets one request of all isolates do it, within the budgets. One Redis request. */
export async function beginFetch(redis: Pick<StateRedis, "eval">, clientId: string): Promise<DocumentState> {
  const origin = await sha256(new URL(clientId).origin);
  const keys = [await keyOf(clientId), redisKeys.metadataBudget(origin), redisKeys.metadataBudget("all")];
  const limits = [LOCK_SECONDS, BUDGET.perOrigin, BUDGET.all].map(String);
  return redis.eval<string[], DocumentState>(BEGIN, keys, limits);
}

/** Remembers how the fetch ended: a good document for as long as it says, a bad one for seconds. */
export async function endFetch(
  redis: Pick<StateRedis, "set">,
  clientId: string,
  goodSeconds: number | "bad",
): Promise<void> {
  const [state, ex] = goodSeconds === "bad" ? (["bad", BAD_SECONDS] as const) : (["good", goodSeconds] as const);
  await redis.set(await keyOf(clientId), state, { ex });
}

const keyOf = async (clientId: string) => redisKeys.metadata(await sha256(clientId));
