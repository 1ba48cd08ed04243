import { createCimdClientDiscovery, isCimdClientIdUrlCandidate, validateClientIdUrl } from "@better-auth/cimd";
import type { ClientDiscovery } from "@better-auth/oauth-provider";
import { APIError, isAPIError } from "better-auth/api";
import { happened } from "../../audit/event.ts";
import type { Journal } from "../../audit/journal.ts";
import { readText } from "../../platform/body.ts";
import { expiringMap } from "../../platform/bounded-map.ts";
import type { Config } from "../../platform/config.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { errorFields, type Log } from "../../platform/log.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { publicUrlProblem } from "../../platform/outbound/public-url.ts";
import type { Redis } from "../../platform/redis/redis.ts";
import { unknownActor } from "../trail.ts";
import { compatibleDocument, freshSeconds } from "../../grants/clients/metadata-document.ts";
import { beginFetch, endFetch } from "../../grants/clients/metadata-state.ts";

export interface ClientMetadataDeps {
  config: Pick<Config, "CLIENT_REGISTRATION">;
  redis: Pick<Redis, "eval" | "set">;
  /** Fetches from public hosts only, over https, and follows no redirects. */
  outbound: Outbound;
  journal: Pick<Journal, "tried">;
  now: () => number;
  log: Log;
}

type Resolve = ClientDiscovery["resolve"];
type Client = NonNullable<Awaited<ReturnType<Resolve>>>;

const MAX_DOCUMENT_BYTES = 5 * 1024;
/** For how many days a client is served from its last valid document while its origin does not answer. */
const KEEP_DAYS = 7;
const RETRY_SECONDS = 60;
const KNOWN_MS = 30_000;
const MAX_KNOWN = 1_000;
/**
 * Pauses in milliseconds of a request that waits for another one to fetch the document; in all about as long as a fetch
 * can take.
 */
const WAITS = [50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1_000];

/**
 * Clients whose id is the https address of a metadata document (draft-ietf-oauth-client-id-metadata-document, MCP
 * 2026-07-28). One request among all isolates fetches a document. A valid one is cached as long as its origin says, and
 * its client keeps working while the origin does not answer. Whatever is wrong with an id, the error is
 * `invalid_client`.
 */
export function clientMetadata(deps: ClientMetadataDeps): ClientDiscovery {
  const { redis, log } = deps;

  /** Clients whose documents this isolate knows to be valid. */
  const good = expiringMap<true>(MAX_KNOWN, KNOWN_MS);

  const resolve: Resolve = async (ctx, clientId, existing) => {
    if (existing && good.get(clientId, Date.now())) return existing;
    if (validateClientIdUrl(clientId) !== null || publicUrlProblem(new URL(clientId)) !== undefined)
      throw invalidClient();
    let state = await beginFetch(redis, clientId);
    for (const wait of existing ? [] : WAITS) {
      if (state !== "busy") break;
      await new Promise((next) => setTimeout(next, wait));
      state = await beginFetch(redis, clientId);
    }
    if (state === "fetch") return fetchClient(ctx, clientId, existing);
    if (existing && state === "good") good.set(clientId, true, Date.now());
    if (existing && (state !== "bad" || isRecent(existing))) return existing;
    if (state === "bad") throw invalidClient();
    const stored = state === "good" ? await storedClient(ctx, clientId) : null;
    if (stored) return stored;
    // Marked as valid, but its row does not exist: it was pruned meanwhile.
    if (state === "good") return fetchClient(ctx, clientId, null);
    throw unavailable();
  };

  const fetchClient: Resolve = async (ctx, clientId, existing) => {
    const transport = documentTransport(deps.outbound);
    // One instance per fetch. A shared one would make a request wait for the input and output of another request.
    const discovery = createCimdClientDiscovery({
      metadataProfile: "mcp-2026-07-28",
      fetchClientMetadataResource: transport.fetch,
    });
    try {
      const client = await discovery.resolve(ctx, clientId, existing);
      await endFetch(redis, clientId, transport.fresh());
      // Anybody who starts an authorization can name new documents without end.
      const what = { event: "client.discovered", actor: unknownActor(), tenantId: null, target: clientId } as const;
      if (!existing) deps.journal.tried(happened(what, deps.now()), clientId);
      return client;
    } catch (error) {
      const failure = transport.failure();
      log("info", "client_metadata.refused", { clientId: clientId.slice(0, 200), ...errorFields(failure ?? error) });
      const isOurs = failure instanceof ResolverUnavailable || !isAPIError(error);
      if (existing && (failure !== undefined || isOurs) && isRecent(existing)) {
        await endFetch(redis, clientId, RETRY_SECONDS);
        return existing;
      }
      await endFetch(redis, clientId, "bad");
      throw isOurs ? unavailable() : invalidClient();
    }
  };

  return {
    id: "cimd",
    matches: (clientId) => isCimdClientIdUrlCandidate(clientId) && isAllowedHost(deps.config, clientId),
    resolve,
    // The framework uses this only for a client's `jwks_uri`.
    fetchClientMetadataResource: (url, init) => deps.outbound(addressOf(url), init),
    discoveryMetadata: { client_id_metadata_document_supported: true },
  };
}

/**
 * Fetches documents, and keeps what the framework's result does not say: for how long one is fresh, and whether the
 * origin failed.
 */
function documentTransport(outbound: Outbound) {
  let seconds = RETRY_SECONDS;
  let failure: unknown;
  return {
    fresh: () => seconds,
    failure: () => failure,
    fetch: async (url: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      try {
        const answer = await outbound(addressOf(url), init);
        if (answer.status >= 500) failure = new Error(`the origin answered ${answer.status}`);
        if (answer.status !== 200) return answer;
        seconds = freshSeconds(answer.headers);
        const body = await readText(answer, MAX_DOCUMENT_BYTES);
        if ("refusal" in body) return new Response(null, { status: 413 });
        const headers = { "content-type": answer.headers.get("content-type") ?? "" };
        return new Response(compatibleDocument(body.text), { headers });
      } catch (error) {
        failure = error;
        throw error;
      }
    },
  };
}

const addressOf = (target: RequestInfo | URL) => (target instanceof Request ? target.url : target);

async function storedClient(ctx: Parameters<Resolve>[0], clientId: string): Promise<Client | null> {
  const where = [
    { field: "clientId", value: clientId },
    { field: "clientDiscoveryId", value: "cimd" },
  ];
  return ctx.context.adapter.findOne<Client>({ model: "oauthClient", where });
}

function isRecent({ updatedAt }: Client): boolean {
  return (
    updatedAt !== undefined && updatedAt !== null && Date.now() - new Date(updatedAt).getTime() < KEEP_DAYS * 86_400_000
  );
}

function isAllowedHost({ CLIENT_REGISTRATION: policy }: ClientMetadataDeps["config"], clientId: string): boolean {
  if (policy.kind === "off") return false;
  return policy.kind === "open" || policy.hosts.includes(new URL(clientId).hostname);
}

const invalidClient = () =>
  new APIError("BAD_REQUEST", {
    error: "invalid_client",
    error_description: "No valid client metadata document was found at the address in the client id.",
  });

const unavailable = () =>
  new APIError("SERVICE_UNAVAILABLE", {
    error: "temporarily_unavailable",
    error_description: "The client's metadata document cannot be fetched right now. Try again shortly.",
  });
