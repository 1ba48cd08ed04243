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

/** Requests without a credential from one address, in each isolate: a company's editors may be behind it. */
const VISITORS = { perMinute: 1_200, burst: 600 };
/** Secrets of private views that do not exist, from one address. */
const GUESSES = { perMinute: 10, burst: 30 };
const MAX_BUCKETS = 20_000;
/** How long an isolate acts on a private view without asking whether it is still there. */
const VIEW_FRESH_MS = 5_000;

/** Finds out who reads. Throws for who may not. */
interface Readers {
  byCredential: (c: Context<HttpEnv>, scopes: readonly Scope[]) => Promise<Reader>;
  bySecret: (c: Context<HttpEnv>) => Promise<Reader>;
}

/** Who reads: the owner of a credential its tenant's registry, the holder of a private view's secret that tenant's, all others what is public. */
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
        throw new AppError("forbidden", "This view may not be used from your address. Its owner decides from where.");
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

/** As for any address of this gateway where there is nothing. */
const noPage = () => new AppError("not_found", "There is nothing at this address.");
