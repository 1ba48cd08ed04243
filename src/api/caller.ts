import type { Context } from "hono";
import type { Admitted } from "../access/admission.ts";
import { authenticate } from "../access/authenticate.ts";
import { readCredential } from "../access/credential.ts";
import { actorOf, type Principal } from "../access/principal.ts";
import { isOverLimit, type AccessRefusal } from "../access/refusal.ts";
import { happened } from "../audit/event.ts";
import { resourceOf } from "../auth/resources.ts";
import { isScope } from "../auth/scopes.ts";
import { isAdministrator } from "../identity/standing.ts";
import { clientAddress, originOf, type HttpEnv } from "../platform/http.ts";
import { uuidv7 } from "../platform/ids.ts";
import type { ApiDeps } from "./deps.ts";
import { toError } from "./refusal.ts";

type CallerDeps = Omit<ApiDeps, "published">;

/** Who calls: the same credentials as at `/mcp`, with the same limits (R8). Throws for anybody who may not use what needs these scopes. */
export async function principalOf(
  c: Context<HttpEnv>,
  deps: CallerDeps,
  scopes: readonly string[],
): Promise<Principal> {
  const admitted = await callerOf(c, deps, scopes);
  if (admitted === null) throw toError({ kind: "no_credential" });
  return admitted.principal;
}

/** The same for what strangers may use too: null when the request has no credential. A credential that is no good is refused all the same. */
export async function callerOf(
  c: Context<HttpEnv>,
  deps: CallerDeps,
  scopes: readonly string[],
): Promise<Pick<Admitted, "principal" | "tenantEpoch"> | null> {
  const url = new URL(c.req.url);
  const now = deps.now();
  const address = clientAddress(c.req.raw.headers);
  const refuse = (refusal: AccessRefusal, principal?: Principal) => {
    deps.log("info", "api.refused", { requestId: c.get("requestId"), kind: refusal.kind });
    // Only a known caller costs a row, as at `/mcp`.
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
  const required = scopes.filter(isScope);
  const wanted = { address, scopes: required, server: null, tool: null, beyondTools: false };
  const admission = await deps.admit(authenticated.claim, { eventId: uuidv7(now), wanted, isHarmless: false }, now);
  if ("refusal" in admission) {
    if (!admission.principal) deps.strangers.failed(address, now);
    throw refuse(admission.refusal, admission.principal);
  }
  const { principal, tenantEpoch, used } = admission.admitted;
  if (used) deps.journal.used(used);
  // Asked again where it is kept: a role that was changed past this gateway counts at once here.
  if (required.includes("admin") && !(await isAdministrator(deps.databases.write, principal.userId)))
    throw refuse({ kind: "not_administrator" }, principal);
  return { principal, tenantEpoch };
}
