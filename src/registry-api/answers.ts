import { answerWith, type RouteAnswer } from "../http/route.ts";
import { sha256 } from "../platform/crypto.ts";
import { AppError, isUnavailable } from "../platform/errors.ts";
import { errorFields } from "../platform/log.ts";
import { FRESH_MS, type KeptAnswer } from "../registry/reading/answer-cache.ts";
import type { Question, ViewScope } from "../registry/reading/servers.ts";
import type { RegistryApiDeps } from "./deps.ts";

/** What a reader asks for: the cache key of the answer, and the question whose answer is the body; null: not found. */
export interface Asked {
  key: string;
  question: (scope: ViewScope) => Question<object | null>;
}

/** The registry that is read: a tenant's, or the public one for null. `epoch` is the tenant's epoch, if known. */
export interface Whose {
  tenantId: string | null;
  epoch: number | undefined;
}

/** A caller who may read, or for whom Postgres has yet to decide. */
export interface Reader {
  /** Undefined: not known until Postgres is asked. */
  whose: Whose | undefined;
  /** Asks Postgres in one request. Throws when the caller may not read. */
  ask: <Answer>(question: (scope: ViewScope) => Question<Answer>) => Promise<{ answer: Answer; whose: Whose }>;
  /** What was cached about the reader, for use while Postgres does not answer. */
  before: () => Whose | undefined;
}

/** How long stale answers are used without asking Postgres again after it failed, in milliseconds. */
const DOWN_MS = 5_000;

const CACHING = "max-age=60, stale-while-revalidate=300, stale-if-error=86400";

/**
 * Answers a reader with a fresh cached answer, or from Postgres with one statement. While Postgres does not answer,
 * with a cached answer of up to a day: clients take an error of their registry for "nothing is allowed".
 */
export async function answerFrom(
  { published, log, now: clock }: Pick<RegistryApiDeps, "published" | "log" | "now">,
  request: Request,
  reader: Reader,
  { key, question }: Asked,
): Promise<RouteAnswer<200 | 304>> {
  const now = clock();
  if (reader.whose) {
    const { tenantId, epoch } = reader.whose;
    const maxAgeMs = tenantId === null ? FRESH_MS.public : FRESH_MS.tenant;
    const fresh = published.answers.fresh(keyFor(reader.whose, key), { now, maxAgeMs, epoch });
    if (fresh) return respond(request, fresh, { tenantId, now });
    const stale = now < published.downUntil ? published.answers.stale(keyFor(reader.whose, key), now) : undefined;
    if (stale) return respond(request, stale, { tenantId, now });
  }
  try {
    const { answer, whose } = await reader.ask(question);
    published.downUntil = 0;
    if (answer === null) throw notThere();
    const body = JSON.stringify(answer);
    const kept = { body, etag: `"${await sha256(body)}"`, at: now, epoch: whose.epoch };
    published.answers.put(keyFor(whose, key), kept);
    return respond(request, kept, { tenantId: whose.tenantId, now });
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    published.downUntil = clock() + DOWN_MS;
    const whose = reader.whose ?? reader.before();
    const stale = whose && published.answers.stale(keyFor(whose, key), now);
    if (!whose || !stale) throw error;
    log("warn", "registry.stale", { ageSeconds: seconds(now - stale.at), ...errorFields(error) });
    return respond(request, stale, { tenantId: whose.tenantId, now });
  }
}

const keyFor = ({ tenantId }: Whose, key: string) => `${tenantId === null ? "public" : `tenant ${tenantId}`} ${key}`;
const seconds = (ms: number) => Math.floor(ms / 1000);

/**
 * `Warning` is obsolete (RFC 9111 §5.5), but no other header says that an answer is stale; `Age` is how old it is
 * (§5.1).
 */
function respond(
  request: Request,
  { body, etag, at }: KeptAnswer,
  { tenantId, now }: { tenantId: string | null; now: number },
): RouteAnswer<200 | 304> {
  const isStale = now - at >= FRESH_MS.public;
  const headers = {
    etag,
    "cache-control": `${tenantId === null ? "public" : "private"}, ${CACHING}`,
    vary: "Authorization, X-API-Key",
    ...(isStale && { age: String(seconds(now - at)), warning: '110 - "Response is Stale"' }),
  };
  if (matches(request.headers.get("if-none-match"), etag)) return answerWith(304, null, headers);
  return answerWith(200, body, headers);
}

/** Compares ETags weakly (RFC 9110 §13.1.2), because a cache on the way may have weakened the tag. */
const matches = (header: string | null, etag: string) =>
  header !== null && header.split(",").some((tag) => ["*", etag].includes(tag.trim().replace(/^W\//, "")));

/** One answer for a server that does not exist, is deleted, or belongs to another tenant. */
export const notThere = () => new AppError("not_found", "There is no such server or version in this registry.");
