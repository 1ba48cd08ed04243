import { Hono, type Context } from "hono";
import type { Admission, AdmissionRequest, Admitted } from "../access/admission/admission.ts";
import { authenticate, type AuthenticateDeps, type CheckedCredential } from "../access/credential/authenticate.ts";
import { readCredential } from "../access/credential/credential.ts";
import { mayUseServer } from "../access/policy.ts";
import { actorOf, type Principal } from "../access/principal.ts";
import { isOverLimit } from "../access/refusal.ts";
import type { Usage } from "../access/usage.ts";
import { rowOf } from "../audit/entry.ts";
import type { AuditEvent } from "../audit/event.ts";
import type { Journal } from "../audit/journal.ts";
import { isSlug, resourceOf } from "../identity/resources.ts";
import { reportFailure } from "../http/failure.ts";
import { clientAddress, originOf, type HttpEnv } from "../platform/http.ts";
import { uuidv7 } from "../platform/crypto.ts";
import { errorFields } from "../platform/log.ts";
import { atEpoch, upstreamBySlug } from "../upstreams/catalog.ts";
import { UpstreamUnavailable, type UpstreamConnection } from "../upstreams/client.ts";
import { auditedAs, settledAtEnd, type Call, type Outcome } from "./call.ts";
import { readEnvelope, type Envelope } from "./envelope.ts";
import { upstreamCaller } from "./forward.ts";
import { limitHeaders } from "./limits.ts";
import { corsHeaders, isAllowedOrigin, preflightResponse } from "./origin.ts";
import { refusalResponse, type Refusal } from "./refusal.ts";
import { server, type ServeDeps } from "./serve.ts";
import { isHarmless, wantedOf } from "./wanted.ts";

export interface McpDeps extends AuthenticateDeps, ServeDeps {
  config: { BASE_URL: string; ALLOWED_ORIGINS: readonly string[] };
  admit: (credential: CheckedCredential, request: AdmissionRequest, now: number) => Promise<Admission>;
  journal: Pick<Journal, "record" | "tried">;
  /** Records the use of a key; it is written after the answer. */
  used: (usage: Usage) => void;
  background: (work: Promise<unknown>) => void;
  now: () => number;
}

const NO_QUERY = new URLSearchParams();

type Refused = { refusal: Refusal };
/** What is known about a request when it is refused. A later refusal knows more. */
type Known = { envelope?: Envelope; principal?: Principal };
/** One request, with what its audit event needs. */
interface Visit {
  c: Context<HttpEnv>;
  slug: string | null;
  eventId: string;
  startedAt: number;
}

/** The MCP data plane: `/mcp` with all servers of the caller's tenant, `/mcp/{slug}` with one upstream. */
export function mcp(deps: McpDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const serve = server(deps);

  async function answer(c: Context<HttpEnv>, slug: string | null): Promise<Response> {
    const request = c.req.raw;
    const startedAt = deps.now();
    const address = clientAddress(request.headers);
    const visit: Visit = { c, slug, eventId: uuidv7(startedAt), startedAt };
    const known: Known = {};
    const refuse = ({ refusal }: Refused) => refused(visit, refusal, known);

    // read: no I/O
    const origin = request.headers.get("origin");
    if (!isAllowedOrigin(origin, deps.config.BASE_URL, deps.config.ALLOWED_ORIGINS))
      return refuse({ refusal: { kind: "foreign_origin" } });
    if (request.method === "OPTIONS")
      return preflightResponse(origin ?? deps.config.BASE_URL, request.headers.get("access-control-request-headers"));
    const presented = readCredential(...credentialPlaces(c, slug));
    if ("refusal" in presented) return refuse(unauthenticated(presented, address, startedAt));

    // authenticate: form and checksum, or signature; no I/O
    const resource = resourceOf(deps.config.BASE_URL, slug ?? undefined);
    const authenticated = await authenticate(deps, presented, { resource, address }, startedAt);
    if ("refusal" in authenticated) return refuse(authenticated);
    // After the credential: clients that fall back to SSE with a GET show its refusal instead of the one that matters.
    if (request.method !== "POST") return refuse({ refusal: { kind: "method_not_allowed" } });
    const envelope = await readEnvelope(request);
    if ("refusal" in envelope) return refuse(unauthenticated(envelope, address, startedAt));
    known.envelope = envelope;

    // admit: one Redis request checks the credential and its permissions, takes the call from limits, and writes the
    // intent
    const audited = auditedAs(envelope.method);
    const wanted = await wantedOf(envelope, slug, address);
    const entry = audited && ((principal: Principal) => intentOf(visit, audited, principal, envelope));
    const admission = await deps.admit(
      authenticated.credential,
      { eventId: visit.eventId, wanted, entry, isHarmless: isHarmless(envelope, slug) },
      startedAt,
    );
    if ("refusal" in admission) {
      if (admission.principal) known.principal = admission.principal;
      else deps.failedAttempts.failed(address, startedAt);
      return refuse(admission);
    }
    const { admitted } = admission;
    const { principal } = admitted;
    known.principal = principal;

    // serve: a built-in tool, or the upstream
    const call: Call = {
      principal,
      envelope,
      request,
      slug,
      startedAt,
      catalog: atEpoch(deps.catalog, admitted.tenantEpoch),
      finished: Promise.withResolvers<Outcome>(),
    };
    if (admitted.used) deps.used(admitted.used);
    const connection = await connect(call);
    if (connection && "refusal" in connection) {
      if (audited) settle(visit, audited, call, admitted, { outcome: "error", code: connection.refusal.kind });
      return withHeaders(refused(visit, connection.refusal, { envelope }), limitHeaders(admitted));
    }
    const response = await serve(call, connection);

    // record: after the answer
    if (audited !== undefined) deps.background(record(visit, audited, call, admitted));
    return withHeaders(settledAtEnd(response, call), { ...corsHeaders(origin), ...limitHeaders(admitted) });
  }

  /** A refusal of an unauthenticated caller. An address with too many of them gets the rate limit's refusal instead. */
  function unauthenticated(refusedAs: Refused, address: string | null, now: number): Refused {
    const shutOut = deps.failedAttempts.refusalOf(address, now);
    deps.failedAttempts.failed(address, now);
    return shutOut ? { refusal: shutOut } : refusedAs;
  }

  function credentialPlaces(c: Context<HttpEnv>, slug: string | null): Parameters<typeof readCredential> {
    const path = slug === null ? "/mcp" : `/mcp/${slug}`;
    const jwt = c.req.header("dpop");
    // A proof names the address as it was sent (RFC 9449 §4.3).
    const sent = jwt === undefined ? path : new URL(c.req.url).pathname;
    const proof = { jwt, method: c.req.method, url: `${deps.config.BASE_URL}${sent}` };
    const query = c.req.url.includes("?") ? new URL(c.req.url).searchParams : NO_QUERY;
    return [{ authorization: c.req.header("authorization"), apiKey: c.req.header("x-api-key"), proof }, query];
  }

  /**
   * Connects to the upstream of `/mcp/{slug}`. The aggregated endpoint connects when a tool of an upstream is called.
   */
  async function connect({
    slug,
    principal,
    request,
    envelope,
    catalog,
  }: Call): Promise<UpstreamConnection | Refused | undefined> {
    if (slug === null) return undefined;
    const upstream = await upstreamBySlug(catalog, principal.tenantId, slug);
    if (!upstream) return { refusal: { kind: "unknown_server" } };
    try {
      return await catalog.connect(upstream, upstreamCaller(principal.userId, request, envelope.message));
    } catch (error) {
      if (!(error instanceof UpstreamUnavailable)) throw error;
      deps.log("warn", "upstream.unavailable", { upstream: upstream.id, ...errorFields(error.cause) });
      return { refusal: { kind: "upstream_unavailable", message: error.message, slug } };
    }
  }

  function refused(visit: Visit, refusal: Refusal, { envelope, principal }: Known): Response {
    const { c, slug } = visit;
    const requestId = c.get("requestId");
    deps.log("info", "mcp.refused", { requestId, kind: refusal.kind, reason: reasonOf(refusal) });
    // Only refusals of a known caller are written to the audit log, so that unauthenticated callers cannot fill it.
    // Their refusals are in the log line above.
    if (principal) {
      const event = { event: "mcp.refused", outcome: "refused", code: refusal.kind, durationMs: null } as const;
      // Refusals must stay cheap, so those of a caller over its limit are recorded only from time to time.
      const note = isOverLimit(refusal) ? deps.journal.tried : deps.journal.record;
      note({ ...event, ...eventOf(visit, principal, envelope) });
    }
    const origin = c.req.raw.headers.get("origin");
    const resourceMetadata = `${deps.config.BASE_URL}/.well-known/oauth-protected-resource/mcp${slug === null ? "" : `/${slug}`}`;
    const shown = envelope && principal ? asUnknown(refusal, envelope, slug, principal) : refusal;
    const response = refusalResponse(shown, { id: envelope?.id ?? null, requestId, resourceMetadata });
    return refusal.kind === "foreign_origin" ? response : withHeaders(response, corsHeaders(origin));
  }

  async function record(visit: Visit, event: AuditEvent["event"], call: Call, admitted: Admitted): Promise<void> {
    settle(visit, event, call, admitted, await call.finished.promise);
  }

  /** Records the outcome of the entry that was written ahead, under the same id. */
  function settle(visit: Visit, event: AuditEvent["event"], call: Call, { entry }: Admitted, outcome: Outcome): void {
    const durationMs = deps.now() - call.startedAt;
    deps.journal.record({ event, ...outcome, durationMs, ...eventOf(visit, call.principal, call.envelope) }, entry);
  }

  /** The audit entry that the stream keeps in case the outcome is never recorded. */
  function intentOf(visit: Visit, event: AuditEvent["event"], principal: Principal, envelope: Envelope): string {
    const unsettled = { event, outcome: "unknown", code: null, durationMs: null } as const;
    return JSON.stringify(rowOf({ ...unsettled, ...eventOf(visit, principal, envelope) }));
  }

  function eventOf({ c, slug, eventId, startedAt }: Visit, principal: Principal, envelope?: Envelope) {
    const target = envelope?.target ?? envelope?.method ?? null;
    return {
      id: eventId,
      at: startedAt,
      actor: actorOf(principal, originOf(c.get("requestId"), c.req.raw.headers)),
      tenantId: principal.tenantId,
      target: slug === null || target === null ? target : `${slug}/${target}`,
      detail: {},
    };
  }

  app.onError((error, c) => {
    const { code } = reportFailure(deps.log, "mcp", c, error);
    const visit = { c, slug: null, eventId: "", startedAt: deps.now() };
    return refused(visit, { kind: code === "unavailable" ? "unavailable" : "internal" }, {});
  });
  app.all("/mcp", (c) => answer(c, null));
  app.all("/mcp/:slug", async (c, next) => {
    const slug = c.req.param("slug");
    return isSlug(slug) ? answer(c, slug) : next();
  });
  return app;
}

/**
 * Hides servers and tools that are not on a credential's list: the answer is the same as for a name that does not
 * exist.
 */
function asUnknown(refusal: Refusal, { method, target }: Envelope, slug: string | null, principal: Principal): Refusal {
  if (refusal.kind !== "not_on_list") return refusal;
  if (slug !== null && !mayUseServer(principal, slug)) return { kind: "unknown_server" };
  return method === "tools/call" && target !== null ? { kind: "unknown_tool", name: target } : refusal;
}

/** The reason of a refusal for the log, in addition to its kind. */
function reasonOf(refusal: Refusal): string | undefined {
  if (refusal.kind === "invalid_dpop_proof") return refusal.problem;
  return refusal.kind === "invalid_credential" ? refusal.reason : undefined;
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  if (Object.keys(headers).length === 0) return response;
  const changed = new Response(response.body, response);
  for (const [name, value] of Object.entries(headers)) changed.headers.set(name, value);
  return changed;
}
