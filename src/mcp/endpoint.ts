import { Hono, type Context } from "hono";
import { authenticate, type AuthenticateDeps } from "../access/authenticate.ts";
import { readCredential } from "../access/credential.ts";
import { missingScopes, type Principal } from "../access/principal.ts";
import type { AuditEvent } from "../audit/event.ts";
import { isSlug, resourceOf } from "../auth/resources.ts";
import { isUnavailable } from "../platform/errors.ts";
import { clientAddress, type HttpEnv } from "../platform/http.ts";
import { uuidv7 } from "../platform/ids.ts";
import { errorFields } from "../platform/log.ts";
import { upstreamBySlug } from "../upstreams/catalog.ts";
import { UpstreamUnavailable, type UpstreamConnection } from "../upstreams/client.ts";
import { auditedAs, settledAtEnd, type Call, type Outcome } from "./call.ts";
import { readEnvelope, type Envelope } from "./envelope.ts";
import { upstreamCaller } from "./forward.ts";
import { corsHeaders, isAllowedOrigin, preflightResponse } from "./origin.ts";
import { refusalResponse, type Refusal } from "./refusal.ts";
import { requiredScopes, server, type ServeDeps } from "./serve.ts";

export interface McpDeps extends AuthenticateDeps, ServeDeps {
  config: { BASE_URL: string; ALLOWED_ORIGINS: readonly string[] };
  record: (event: AuditEvent) => Promise<void>;
  background: (work: Promise<unknown>) => void;
  now: () => number;
}

type Refused = { refusal: Refusal };
/** What is known of a request when it is refused; more of it the later that happens. */
type Known = { envelope?: Envelope; principal?: Principal };

/** The MCP data plane: `/mcp` with everything the caller's tenant has, `/mcp/{slug}` with one upstream. */
export function mcp(deps: McpDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const serve = server(deps);

  async function answer(c: Context<HttpEnv>, slug: string | null): Promise<Response> {
    const request = c.req.raw;
    const startedAt = deps.now();
    const known: Known = {};
    const refuse = ({ refusal }: Refused) => refused(c, slug, refusal, known);

    // read: no I/O
    const origin = request.headers.get("origin");
    if (!isAllowedOrigin(origin, deps.config.BASE_URL, deps.config.ALLOWED_ORIGINS))
      return refuse({ refusal: { kind: "foreign_origin" } });
    if (request.method === "OPTIONS")
      return preflightResponse(origin ?? deps.config.BASE_URL, request.headers.get("access-control-request-headers"));
    if (request.method !== "POST") return refuse({ refusal: { kind: "method_not_allowed" } });
    const url = new URL(request.url);
    const presented = readCredential(
      {
        authorization: c.req.header("authorization"),
        apiKey: c.req.header("x-api-key"),
        proof: { jwt: c.req.header("dpop"), method: request.method, url: `${deps.config.BASE_URL}${url.pathname}` },
      },
      url.searchParams,
    );
    if ("refusal" in presented) return refuse(presented);

    // authenticate: one Redis request, none when form, checksum or signature are wrong
    const authenticated = await authenticate(
      deps,
      presented,
      resourceOf(deps.config.BASE_URL, slug ?? undefined),
      startedAt,
    );
    if ("refusal" in authenticated) return refuse(authenticated);
    const { principal } = authenticated;
    known.principal = principal;
    const envelope = await readEnvelope(request);
    if ("refusal" in envelope) return refuse(envelope);
    known.envelope = envelope;

    // authorize: no I/O
    const call: Call = { principal, envelope, request, slug, startedAt, finished: Promise.withResolvers<Outcome>() };
    const missing = missingScopes(principal, requiredScopes(call));
    if (missing.length > 0) return refuse({ refusal: { kind: "insufficient_scope", required: requiredScopes(call) } });

    // serve: a built-in tool, or on to the upstream
    const connection = await connect(call);
    if (connection && "refusal" in connection) return refuse(connection);
    const response = await serve(call, connection);

    // record: after the answer
    const event = auditedAs(envelope.method);
    if (event !== undefined) deps.background(record(c, event, call));
    return withHeaders(settledAtEnd(response, call), corsHeaders(origin));
  }

  /** Opens the upstream of `/mcp/{slug}`; the aggregated endpoint connects when a tool of an upstream is called. */
  async function connect({
    slug,
    principal,
    request,
    envelope,
  }: Call): Promise<UpstreamConnection | Refused | undefined> {
    if (slug === null) return undefined;
    const upstream = await upstreamBySlug(deps.catalog, principal.tenantId, slug);
    if (!upstream) return { refusal: { kind: "unknown_server" } };
    try {
      return await deps.catalog.connect(upstream, upstreamCaller(principal.userId, request, envelope.message));
    } catch (error) {
      if (!(error instanceof UpstreamUnavailable)) throw error;
      deps.log("warn", "upstream.unavailable", { upstream: upstream.id, ...errorFields(error.cause) });
      return { refusal: { kind: "upstream_unavailable", message: error.message, slug } };
    }
  }

  function refused(
    c: Context<HttpEnv>,
    slug: string | null,
    refusal: Refusal,
    { envelope, principal }: Known,
  ): Response {
    const requestId = c.get("requestId");
    const reason = reasonOf(refusal);
    deps.log("info", "mcp.refused", { requestId, kind: refusal.kind, reason });
    // Only a known caller costs a row: strangers must not fill the log, their refusals are in the log lines above.
    if (principal) {
      const event = { event: "mcp.refused", outcome: "refused", code: refusal.kind, durationMs: null } as const;
      deps.background(deps.record({ ...event, ...eventOf(c, principal, slug, envelope) }));
    }
    const origin = c.req.raw.headers.get("origin");
    const resourceMetadata = `${deps.config.BASE_URL}/.well-known/oauth-protected-resource/mcp${slug === null ? "" : `/${slug}`}`;
    const response = refusalResponse(refusal, { id: envelope?.id ?? null, requestId, resourceMetadata });
    return refusal.kind === "foreign_origin" ? response : withHeaders(response, corsHeaders(origin));
  }

  async function record(c: Context<HttpEnv>, event: AuditEvent["event"], call: Call): Promise<void> {
    const outcome = await call.finished.promise;
    const durationMs = deps.now() - call.startedAt;
    await deps.record({ event, ...outcome, durationMs, ...eventOf(c, call.principal, call.slug, call.envelope) });
  }

  function eventOf(c: Context<HttpEnv>, principal: Principal, slug: string | null, envelope: Envelope | undefined) {
    const { credential, tenantId, userId, clientId } = principal;
    const target = envelope?.target ?? envelope?.method ?? null;
    return {
      id: uuidv7(deps.now()),
      at: deps.now(),
      actor: { tenantId, userId, clientId, credentialKind: credential.kind, credentialId: credential.id },
      target: slug === null || target === null ? target : `${slug}/${target}`,
      requestId: c.get("requestId"),
      ip: clientAddress(c.req.raw.headers),
      userAgent: c.req.header("user-agent") ?? null,
      detail: {},
    };
  }

  app.onError((error, c) => {
    deps.log("error", "mcp.failed", { requestId: c.get("requestId"), ...errorFields(error) });
    return refused(c, null, { kind: isUnavailable(error) ? "unavailable" : "internal" }, {});
  });
  app.all("/mcp", (c) => answer(c, null));
  app.all("/mcp/:slug", async (c, next) => {
    const slug = c.req.param("slug");
    return isSlug(slug) ? answer(c, slug) : next();
  });
  return app;
}

/** What the log says of a refusal beside its kind. */
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
