import type { Context } from "hono";
import { readCredential } from "../access/credential/credential.ts";
import { actorOf } from "../access/principal.ts";
import { unauthenticated } from "../audit/event.ts";
import type { Scope } from "../identity/scopes.ts";
import { principalOf } from "../http/caller.ts";
import { toError } from "../http/refusal.ts";
import { isActiveUser, personalTenantId } from "../identity/standing.ts";
import { verifyLegacyToken } from "../keys/legacy/legacy.ts";
import { looksLikeApiKey } from "../keys/token.ts";
import type { Limit } from "../limits/bucket.ts";
import { AppError } from "../platform/errors.ts";
import { clientAddress, originOf, type HttpEnv } from "../platform/http.ts";
import type { RegistryView } from "../registry/reading/entry.ts";
import { parseName } from "../registry/name.ts";
import type { Publisher } from "../registry/publishing/publish.ts";
import {
  grantFor,
  looksLikePublisherToken,
  patternsOf,
  readPublisherToken,
  type PublisherToken,
} from "../registry/publishing/publisher-token.ts";
import type { PlaneDeps } from "./deps.ts";

/**
 * The limit of publishing with a credential that has no record in Redis: a token of the retired registry, or a
 * publisher token.
 */
const PUBLISHING: Limit = { perMinute: 60, burst: 60 };

/** Takes one request from a bucket of this isolate. Throws 429 when it is empty. */
export function takeLocal({ publishing }: PlaneDeps, key: string, limit: Limit, now: number): void {
  const taken = publishing.take(key, limit, now);
  if (taken.taken) return;
  const seconds = String(Math.max(1, Math.ceil(taken.retryMs / 1000)));
  throw new AppError("rate_limited", `Too many requests. Try again in ${seconds} s.`, {
    headers: { "retry-after": seconds },
  });
}

/** A caller who may publish. The server's name is needed because a publisher token decides the tenant by it. */
export type Author = (name: string) => Publisher;

/**
 * Authenticates a publisher: a publisher token, a token of the retired registry (R19: for publishing only), or any
 * other credential with `mcp-registry:write`. Throws for all others.
 */
export async function authorOf(c: Context<HttpEnv>, deps: PlaneDeps, scopes: readonly Scope[]): Promise<Author> {
  const now = deps.now();
  const text = presentedText(c, deps);
  if (text !== undefined && looksLikePublisherToken(text)) {
    const token = await publisherTokenOf(c, deps, text);
    takeLocal(deps, `token:${token.subject}`, PUBLISHING, now);
    return (name) => withToken(token, name, c);
  }
  const legacy = text === undefined ? null : await legacyAuthor(c, deps, text);
  if (legacy) {
    takeLocal(deps, `legacy:${legacy.tenantId}`, PUBLISHING, now);
    return () => legacy;
  }
  const principal = await principalOf(c, deps, scopes);
  const actor = actorOf(principal, originOf(c.get("requestId"), c.req.raw.headers));
  return () => ({ ...actor, namespaces: "owned" });
}

/**
 * What the holder of a publisher token can read, because publishing tools read a server before they change it: the
 * tenant's servers in the token's namespaces, otherwise the public ones. Null: the request has no publisher token.
 */
export async function tokenView(c: Context<HttpEnv>, deps: PlaneDeps): Promise<RegistryView | null> {
  const text = presentedText(c, deps);
  if (text === undefined || !looksLikePublisherToken(text)) return null;
  const grant = grantFor(await publisherTokenOf(c, deps, text), c.req.param("serverName") ?? "");
  return grant ? { kind: "tenant", tenantId: grant.tenantId } : { kind: "public" };
}

/** The credential of a request; undefined when it is one of our API keys or a DPoP-bound token. */
function presentedText(c: Context<HttpEnv>, { config }: PlaneDeps): string | undefined {
  const url = new URL(c.req.url);
  const presented = readCredential(
    {
      authorization: c.req.header("authorization"),
      apiKey: c.req.header("x-api-key"),
      proof: { jwt: c.req.header("dpop"), method: c.req.method, url: `${config.BASE_URL}${url.pathname}` },
    },
    url.searchParams,
  );
  if ("refusal" in presented) return undefined;
  if (presented.kind === "access_token") return presented.proof ? undefined : presented.token;
  return looksLikeApiKey(presented.key) ? undefined : presented.key;
}

async function publisherTokenOf(c: Context<HttpEnv>, deps: PlaneDeps, text: string): Promise<PublisherToken> {
  const now = deps.now();
  const address = clientAddress(c.req.raw.headers);
  const shutOut = deps.failedAttempts.refusalOf(address, now);
  if (shutOut) throw toError(shutOut);
  const token = await readPublisherToken(deps.config.BETTER_AUTH_SECRETS, text, now);
  if (token) return token;
  deps.failedAttempts.failed(address, now);
  throw new AppError(
    "invalid_credential",
    "This publisher token is not valid. Publisher tokens expire after 5 minutes: run mcp-publisher login again.",
    { headers: { "www-authenticate": 'Bearer error="invalid_token"' } },
  );
}

function withToken(token: PublisherToken, name: string, c: Context<HttpEnv>): Publisher {
  const grant = grantFor(token, name);
  if (!grant) throw notYours(name);
  return {
    ...unauthenticated(originOf(c.get("requestId"), c.req.raw.headers)),
    credential: { kind: "publisher_token", id: `${token.method}:${token.subject}` },
    tenantId: grant.tenantId,
    namespaces: patternsOf(grant.namespace),
  };
}

/**
 * The publisher of a token of the retired registry; null for any other text. JWTs, which have two dots, are not looked
 * up.
 */
async function legacyAuthor(c: Context<HttpEnv>, deps: PlaneDeps, text: string): Promise<Publisher | null> {
  if (!deps.acceptsLegacyKeys || /^[^.]+\.[^.]+\.[^.]+$/.test(text)) return null;
  const now = deps.now();
  const shutOut = deps.failedAttempts.refusalOf(clientAddress(c.req.raw.headers), now);
  if (shutOut) throw toError(shutOut);
  const token = await verifyLegacyToken(deps.databases.write, text, now);
  if (!token || !(await isActiveUser(deps.databases.write, token.userId))) return null;
  return {
    ...unauthenticated(originOf(c.get("requestId"), c.req.raw.headers)),
    userId: token.userId,
    credential: { kind: "legacy_token", id: token.tokenId },
    tenantId: personalTenantId(token.userId),
    namespaces: "owned",
  };
}

/** The refusal for a namespace that the publisher does not own, without saying whether somebody else does. */
export function notYours(name: string): AppError {
  const namespace = (parseName(name)?.namespace ?? name).toLowerCase();
  return new AppError(
    "forbidden",
    `Your organization does not own the namespace ${namespace}. POST /api/v1/registry/namespaces {"namespace": "${namespace}"} says how to prove it.`,
  );
}
