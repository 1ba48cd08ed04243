import { sql } from "drizzle-orm";
import { decodeJwt, type JWTPayload } from "jose";
import type { AuthenticatedClient } from "../../grants/clients/authenticated-client.ts";
import { tenantOfReference } from "../../grants/consent-reference.ts";
import { isResource, resourceOf } from "../../identity/resources.ts";
import { hasEnded, type GrantDeps } from "../../grants/revocation.ts";
import { activeSql, activeUserSql, actsInSql, administersSql, personalTenantId } from "../../identity/standing.ts";
import { looksLikeApiKey } from "../../keys/token.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import type { VerifyAccessToken } from "../credential/access-token.ts";
import { tokenHasEnded } from "../credential/authenticate.ts";
import { keyUserId } from "../credential/fill.ts";
import { checkKey } from "./key-check.ts";
import { machineUserId, type Principal } from "../principal.ts";

export interface IntrospectionDeps {
  db: Pick<Db, "execute">;
  grants: Pick<GrantDeps, "redis">;
  verifyAccessToken: VerifyAccessToken;
  /** The issuer. */
  origin: string;
  acceptsLegacyKeys: boolean;
}

/** What a client asks about. `now` is in milliseconds. */
interface TokenQuestion {
  token: string;
  /**
   * The address that the token was presented from, as the client says. It counts for API keys limited to some
   * addresses.
   */
  address: string | null;
  client: AuthenticatedClient;
  now: number;
}

/** What a client is told about a token (RFC 7662 §2.2). Times are seconds since the epoch. */
export type TokenState = { active: false } | ({ active: true } & Record<string, unknown>);

const INACTIVE = { active: false } as const;
const MAX_LENGTH = 8_192;

/**
 * The current state of a token, for an authenticated client. A client learns about
 * - an access token when it holds it, or serves its resource (in the client's tenant if it has one, because tenants
 *   share the names of resources),
 * - a refresh token when it holds it,
 * - an API key when it serves a resource in the key's tenant.
 * The answer is the same for a token that is not active and for one that the client may not learn about. A store's
 * error is passed on; the caller answers 503.
 */
export async function introspectToken(deps: IntrospectionDeps, question: TokenQuestion): Promise<TokenState> {
  const { token, client, now } = question;
  if (token.length > MAX_LENGTH) return INACTIVE;
  if (looksLikeApiKey(token)) return apiKey(deps, question);
  const claims = unverifiedClaims(token);
  if (claims) return accessToken(deps, token, claims, client, now);
  const state = await refreshToken(deps, token, client, now);
  return state.active ? state : apiKey(deps, question);
}

/**
 * Only an administrator can create a client with a tenant and resources, so no other client learns about keys. The
 * answer cannot express lists of servers and tools, and the asking client would let the key do everything. So a key
 * with a list of servers is active only if the list has every resource of the client, and a key with a list of tools
 * never.
 */
async function apiKey(deps: IntrospectionDeps, { token, address, client, now }: TokenQuestion): Promise<TokenState> {
  const { tenantId, resources } = client;
  if (tenantId === null || resources.length === 0) return INACTIVE;
  const key = await checkKey(deps, { key: token, tenantId, scopes: [], address }, now);
  if (!key) return INACTIVE;
  const { servers, tools, expiresAt } = key;
  const open = servers?.map((slug) => resourceOf(deps.origin, slug));
  if (tools !== null || (open && !resources.every((resource) => open.includes(resource)))) return INACTIVE;
  return {
    active: true,
    scope: key.scopes.join(" "),
    sub: key.userId ?? keyUserId(key.keyId),
    iss: deps.origin,
    ...(expiresAt !== null && { exp: Math.floor(expiresAt / 1000) }),
    jti: key.keyId,
    tenant: tenantId,
    token_type: "api_key",
  };
}

async function accessToken(
  { db, grants, verifyAccessToken, origin }: IntrospectionDeps,
  token: string,
  claims: JWTPayload,
  client: AuthenticatedClient,
  now: number,
): Promise<TokenState> {
  const resources = [claims.aud ?? []].flat().filter((audience) => isResource(audience, origin));
  const [resource] = resources;
  const serves = (client.tenantId ?? claims["tenant"]) === claims["tenant"];
  const isTheirs =
    claims["client_id"] === client.clientId || (serves && resources.some((one) => client.resources.includes(one)));
  if (resource === undefined || !isTheirs || !isAhead(claims.exp, now)) return INACTIVE;
  const verified = await verifyAccessToken(token, resource);
  if ("reason" in verified) return INACTIVE;
  const { principal } = verified;
  const [ended, standing] = await Promise.all([tokenHasEnded(grants, verified), standingOf(db, principal)]);
  if (ended || !standing.clientEnabled || !standing.subjectActive) return INACTIVE;
  // The scope admin needs an administrator now.
  const scopes = [...principal.scopes].filter((scope) => scope !== "admin" || standing.isAdministrator);
  return {
    active: true,
    scope: scopes.join(" "),
    client_id: principal.clientId,
    sub: claims.sub,
    aud: claims.aud,
    iss: claims.iss,
    exp: claims.exp,
    iat: claims.iat,
    jti: claims.jti,
    tenant: principal.tenantId,
    // RFC 9449 §6.2: a server that accepts a bound token has to check the proof.
    ...(claims["cnf"] === undefined ? { token_type: "Bearer" } : { token_type: "DPoP", cnf: claims["cnf"] }),
  };
}

/** The claims of a JWT before its verification, which comes after the cheaper check that the client may learn of it. */
function unverifiedClaims(token: string): JWTPayload | undefined {
  if (token.split(".").length !== 3) return undefined;
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

const isAhead = (seconds: number | undefined, now: number) => seconds !== undefined && seconds * 1000 > now;

interface Standing extends Record<string, unknown> {
  clientEnabled: boolean;
  subjectActive: boolean;
  isAdministrator: boolean;
}

/**
 * Whether the client exists and is enabled, and whether the person exists and is in the tenant. For a client that acts
 * for itself: whether the tenant exists.
 */
async function standingOf(db: Pick<Db, "execute">, { clientId, userId, tenantId }: Principal): Promise<Standing> {
  const isMachine = clientId !== null && userId === machineUserId(clientId);
  const subject = isMachine
    ? sql`exists (select 1 from organization where id = ${tenantId})`
    : sql`(${activeUserSql(userId)} and ${actsInSql({ tenantId, userId })})`;
  const { rows } = await db.execute<Standing>(sql`
    select exists (select 1 from oauth_client where client_id = ${clientId} and disabled is not true) as "clientEnabled",
      ${subject} as "subjectActive",
      ${administersSql(userId)} as "isAdministrator"`);
  return rows[0] ?? { clientEnabled: false, subjectActive: false, isAdministrator: false };
}

interface RefreshTokenRow extends Record<string, unknown> {
  grant_id: string | null;
  user_id: string;
  reference_id: string;
  scopes: string[];
  expires: number;
  issued: number;
  tenants: string[];
}

async function refreshToken(
  { db, grants, origin }: IntrospectionDeps,
  token: string,
  { clientId }: AuthenticatedClient,
  now: number,
): Promise<TokenState> {
  const { rows } = await db.execute<RefreshTokenRow>(sql`
    select t.authorization_code_id as grant_id, t.user_id, coalesce(t.reference_id, '') as reference_id, t.scopes,
      extract(epoch from t.expires_at)::float8 as expires, extract(epoch from t.created_at)::float8 as issued,
      array(select m.organization_id from member m where m.user_id = t.user_id) as tenants
    from oauth_refresh_token t join "user" u on u.id = t.user_id and ${activeSql("u")}
    where t.token = ${await sha256(token)} and t.client_id = ${clientId} and t.revoked is null`);
  const [row] = rows;
  if (!row || row.grant_id === null || !isAhead(row.expires, now)) return INACTIVE;
  const tenant = tenantOfReference(row.reference_id);
  if (tenant !== personalTenantId(row.user_id) && !row.tenants.includes(tenant)) return INACTIVE;
  if (await hasEnded(grants, row.grant_id)) return INACTIVE;
  return {
    active: true,
    scope: row.scopes.join(" "),
    client_id: clientId,
    sub: row.user_id,
    iss: origin,
    exp: Math.floor(row.expires),
    iat: Math.floor(row.issued),
    tenant,
    // Not Bearer, and no audience: a server that checks its callers must not take it for an access token.
    token_type: "refresh_token",
  };
}
