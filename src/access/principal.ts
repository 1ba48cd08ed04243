import type { ActorOrigin, TenantActor } from "../audit/event.ts";
import type { Scope } from "../identity/scopes.ts";

/** Who calls, on whose behalf and with which credential. The same for an OAuth access token and an API key. */
export interface Principal {
  credential: {
    kind: "access_token" | "api_key";
    /** The token's `jti` or the key's id; never the secret. */
    id: string;
    name: string | null;
  };
  /** For a client that acts for itself: see {@link machineUserId}. */
  userId: string;
  tenantId: string;
  scopes: ReadonlySet<Scope>;
  /** The OAuth client that holds the token; null for an API key. */
  clientId: string | null;
  /** The OAuth grant behind a token, the unit of revocation; null for an API key. */
  grantId: string | null;
  /** Upstream servers and tools that the credential may use; null: all of them. */
  servers: readonly string[] | null;
  tools: readonly string[] | null;
  /**
   * Whether the credential is limited to less than its scopes say. It must not create credentials with fewer limits.
   */
  restricted: boolean;
}

/**
 * The user id of a client that acts for itself. No person has such an id, so it is never an administrator or a member.
 */
export const machineUserId = (clientId: string): string => `client:${clientId}`;

/** The scopes of `required` that the principal lacks. */
export function missingScopes(principal: Principal, required: readonly Scope[]): Scope[] {
  return required.filter((scope) => !principal.scopes.has(scope));
}

/** The caller as commands and the audit log need it. */
export const actorOf = (
  { userId, tenantId, credential, clientId }: Principal,
  { requestId, ip, userAgent }: ActorOrigin,
): TenantActor => ({
  userId,
  tenantId,
  credential: { kind: credential.kind, id: credential.id },
  clientId,
  requestId,
  ip,
  userAgent,
});
