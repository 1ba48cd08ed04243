import type { Context } from "hono";
import type { Admission, AdmissionRequest, Admitted } from "../access/admission/admission.ts";
import { authenticate, type AuthenticateDeps, type CheckedCredential } from "../access/credential/authenticate.ts";
import { readCredential } from "../access/credential/credential.ts";
import { actorOf, type Principal } from "../access/principal.ts";
import { isOverLimit, type AccessRefusal } from "../access/refusal.ts";
import type { Usage } from "../access/usage.ts";
import { happened } from "../audit/event.ts";
import type { Journal } from "../audit/journal.ts";
import { resourceOf } from "../identity/resources.ts";
import type { Scope } from "../identity/scopes.ts";
import { isAdministrator } from "../identity/standing.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/postgres/db.ts";
import { clientAddress, originOf, type HttpEnv } from "../platform/http.ts";
import { uuidv7 } from "../platform/crypto.ts";
import type { Log } from "../platform/log.ts";
import { toError } from "./refusal.ts";

/** The dependencies of authenticating a caller. */
export interface CallerDeps extends AuthenticateDeps {
  config: Pick<Config, "BASE_URL">;
  admit: (credential: CheckedCredential, request: AdmissionRequest, now: number) => Promise<Admission>;
  journal: Pick<Journal, "record" | "tried">;
  /** Records the use of a credential, to be written after the answer. */
  used: (usage: Usage) => void;
  databases: Pick<Databases, "write">;
  log: Log;
  now: () => number;
}

/**
 * Authenticates the caller with the same credentials and limits as at `/mcp`. Throws for callers without these
 * scopes.
 */
export async function principalOf(c: Context<HttpEnv>, deps: CallerDeps, scopes: readonly Scope[]): Promise<Principal> {
  const admitted = await callerOf(c, deps, scopes);
  if (admitted === null) throw toError({ kind: "no_credential" });
  return admitted.principal;
}

/**
 * The same for routes that unauthenticated callers may use: null when the request has no credential. An invalid
 * credential is still refused.
 */
export async function callerOf(
  c: Context<HttpEnv>,
  deps: CallerDeps,
  scopes: readonly Scope[],
): Promise<Pick<Admitted, "principal" | "tenantEpoch"> | null> {
  const url = new URL(c.req.url);
  const now = deps.now();
  const address = clientAddress(c.req.raw.headers);
  const refuse = (refusal: AccessRefusal, principal?: Principal) => {
    deps.log("info", "api.refused", { requestId: c.get("requestId"), kind: refusal.kind });
    // Only refusals of known callers are recorded, as at `/mcp`.
    if (principal) {
      const actor = actorOf(principal, originOf(c.get("requestId"), c.req.raw.headers));
      const what = { event: "api.refused", outcome: "refused", code: refusal.kind } as const;
      const event = happened(
        { ...what, actor, tenantId: actor.tenantId, target: `${c.req.method} ${url.pathname}` },
        now,
      );
      (isOverLimit(refusal) ? deps.journal.tried : deps.journal.record)(event);
    }
    return toError(refusal);
  };
  const presented = readCredential(
    {
      authorization: c.req.header("authorization"),
      apiKey: c.req.header("x-api-key"),
      proof: { jwt: c.req.header("dpop"), method: c.req.method, url: `${deps.config.BASE_URL}${url.pathname}` },
    },
    url.searchParams,
  );
  if ("refusal" in presented) {
    if (presented.refusal.kind === "no_credential") return null;
    throw toError(presented.refusal);
  }
  const resource = resourceOf(deps.config.BASE_URL);
  const authenticated = await authenticate(deps, presented, { resource, address }, now);
  if ("refusal" in authenticated) throw refuse(authenticated.refusal);
  const wanted = { address, scopes, server: null, tool: null, beyondTools: false };
  const admission = await deps.admit(
    authenticated.credential,
    { eventId: uuidv7(now), wanted, isHarmless: false },
    now,
  );
  if ("refusal" in admission) {
    if (!admission.principal) deps.failedAttempts.failed(address, now);
    throw refuse(admission.refusal, admission.principal);
  }
  const { principal, tenantEpoch, used } = admission.admitted;
  if (used) deps.used(used);
  // Postgres is asked again, so that a role changed outside of this gateway has effect at once.
  if (scopes.includes("admin") && !(await isAdministrator(deps.databases.write, principal.userId)))
    throw refuse({ kind: "not_administrator" }, principal);
  return { principal, tenantEpoch };
}
