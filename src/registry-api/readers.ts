import type { Context } from "hono";
import type { Scope } from "../identity/scopes.ts";
import { callerOf } from "../http/caller.ts";
import { toError } from "../http/refusal.ts";
import { localBuckets } from "../limits/local.ts";
import { sha256 } from "../platform/crypto.ts";
import { AppError } from "../platform/errors.ts";
import { clientAddress, originOf, type HttpEnv } from "../platform/http.ts";
import { visitorKey } from "../platform/ip.ts";
import { rememberView, STALE_MS, type ViewAccess } from "../registry/reading/answer-cache.ts";
import type { EntryRow, RegistryView } from "../registry/reading/entry.ts";
import {
  accessOf,
  isViewSecret,
  noteUse,
  useMemory,
  viewQuery,
  viewRefusal,
  type ViewRow,
} from "../registry/views/views.ts";
import type { PlaneDeps } from "./deps.ts";
import type { Reader, Whose } from "./answers.ts";
import { tokenView } from "./publisher.ts";

/**
 * Requests without a credential from one address, per isolate. An address may be shared by all editors of a company.
 */
const VISITORS = { perMinute: 1_200, burst: 600 };
/** Guesses of secrets of private views from one address. */
const GUESSES = { perMinute: 10, burst: 30 };
const MAX_BUCKETS = 20_000;
/** How long an isolate uses a cached private view without checking that it still exists. */
const VIEW_FRESH_MS = 5_000;

/** Authenticates a reader. Throws for callers who may not read. */
interface Readers {
  byCredential: (c: Context<HttpEnv>, scopes: readonly Scope[]) => Promise<Reader>;
  bySecret: (c: Context<HttpEnv>) => Promise<Reader>;
}

/**
 * Creates the readers. A credential reads its tenant's registry, the secret of a private view that of the view's
 * tenant; all other callers read the public one.
 */
export function readers(deps: PlaneDeps): Readers {
  const buckets = localBuckets(MAX_BUCKETS);
  const uses = useMemory();
  const db = deps.databases.read;

  async function askFor<Answer>(view: RegistryView, question: Parameters<Reader["ask"]>[0]) {
    const { query, read } = question(view);
    return read((await db.execute<EntryRow>(query)).rows) as Answer;
  }

  const known = (view: RegistryView, epoch?: number): Reader => {
    const whose: Whose = { tenantId: view.kind === "tenant" ? view.tenantId : null, epoch };
    return { whose, before: () => whose, ask: async (question) => ({ answer: await askFor(view, question), whose }) };
  };

  function limitVisitor(address: string | null, now: number): void {
    const taken = buckets.take(`visitor:${visitorKey(address)}`, VISITORS, now);
    if (!taken.taken) throw limited(taken.retryMs, VISITORS);
  }

  async function byCredential(c: Context<HttpEnv>, scopes: readonly Scope[]): Promise<Reader> {
    const view = await tokenView(c, deps);
    if (view) return known(view);
    const caller = await callerOf(c, deps, scopes);
    if (caller) return known({ kind: "tenant", tenantId: caller.principal.tenantId }, caller.tenantEpoch);
    limitVisitor(clientAddress(c.req.raw.headers), deps.now());
    return known({ kind: "public" });
  }

  async function bySecret(c: Context<HttpEnv>): Promise<Reader> {
    const secret = c.req.param("secret") ?? "";
    const now = deps.now();
    const address = clientAddress(c.req.raw.headers);
    limitVisitor(address, now);
    if (!isViewSecret(secret)) throw noPage();
    const hash = await sha256(secret);
    const admit = (view: ViewAccess): Whose => {
      const refusal = viewRefusal(view, address, now);
      if (refusal === "ended") throw noPage();
      if (refusal === "address")
        throw new AppError(
          "forbidden",
          "This view cannot be used from your IP address. Its organization limits the allowed addresses.",
        );
      const from = originOf(c.get("requestId"), c.req.raw.headers);
      const noted = noteUse(deps.databases.write, uses, { view, from, block: visitorKey(address) }, now);
      if (noted) deps.background(noted);
      return { tenantId: view.tenantId, epoch: undefined };
    };

    const kept = deps.published.views.get(hash);
    const isFresh = kept !== undefined && now - kept.at < VIEW_FRESH_MS;
    if (kept && (isFresh || now < deps.published.downUntil)) {
      const whose = admit(kept.view);
      return { ...known({ kind: "tenant", tenantId: kept.view.tenantId }), whose };
    }
    if (!kept) {
      const retryMs = buckets.waitFor(`guess:${visitorKey(address)}`, GUESSES, now);
      if (retryMs > 0) throw limited(retryMs, GUESSES);
    }
    return {
      whose: undefined,
      before: () => (kept && now - kept.at < STALE_MS ? admit(kept.view) : undefined),
      ask: async (question) => {
        const { query, read } = question({ kind: "secret", hash });
        const [found, { rows }] = await db.batch([db.execute<ViewRow>(viewQuery(hash)), db.execute<EntryRow>(query)]);
        const view = accessOf(found.rows[0]);
        if (!view) {
          deps.published.views.delete(hash);
          buckets.take(`guess:${visitorKey(address)}`, GUESSES, now);
          throw noPage();
        }
        rememberView(deps.published, hash, view, now);
        return { answer: read(rows), whose: admit(view) };
      },
    };
  }

  return { byCredential, bySecret };
}

const limited = (retryMs: number, limit: typeof VISITORS) =>
  toError({ kind: "rate_limited", tier: "address", retryMs, limits: [{ tier: "address", limit, remaining: 0 }] });

/** The same answer as for any other unknown address of this gateway. */
const noPage = () => new AppError("not_found", "There is nothing at this address.");
