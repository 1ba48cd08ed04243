import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import { isScope } from "../../identity/scopes.ts";
import type { SigningKeys } from "../../identity/signing-keys.ts";
import { machineUserId, type Principal } from "../principal.ts";

type KeySet = ReturnType<typeof createLocalJWKSet>;
type Keys = Awaited<ReturnType<SigningKeys["publicKeys"]>>;

/** What a valid token says. */
export interface VerifiedToken {
  principal: Principal;
  /** The grant of the administrator's client itself. A token for a person ends when that grant ends, too. */
  clientGrantId?: string | undefined;
  /** Thumbprint of the key that the token is bound to (RFC 9449 §6). The caller has to prove possession of that key. */
  thumbprint?: string | undefined;
}

/** Verifies one access token for one resource. `reason` says what is wrong; it is for the audit log only. */
export type VerifyAccessToken = (token: string, resource: string) => Promise<VerifiedToken | { reason: string }>;

const CLOCK_TOLERANCE_SECONDS = 30;

/**
 * Verifies JWT access tokens of this issuer (RFC 9068 §4): `typ`, signature, `iss`, `exp`, and an `aud` that names the
 * resource (RFC 8707). No round trip once the isolate holds the signing keys; an unknown key id reads them again.
 */
export function accessTokenVerifier(issuer: string, signingKeys: Pick<SigningKeys, "publicKeys">): VerifyAccessToken {
  let known: { keys: Keys; set: KeySet } | undefined;

  async function keySet(unknownKid: boolean): Promise<KeySet> {
    const keys = await signingKeys.publicKeys(unknownKid);
    if (known?.keys.length !== keys.length || keys.some((key, index) => key.kid !== known?.keys[index]?.kid)) {
      known = { keys, set: createLocalJWKSet({ keys }) };
    }
    return known.set;
  }

  async function verify(token: string, resource: string, unknownKid: boolean): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, await keySet(unknownKid), {
      issuer,
      audience: resource,
      typ: "at+jwt",
      algorithms: ["ES256"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ["sub", "exp", "iat", "jti", "client_id"],
    });
    return payload;
  }

  return async (token, resource) => {
    try {
      return toPrincipal(await verify(token, resource, false));
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      if (!(error instanceof errors.JWKSNoMatchingKey)) return { reason: error.code };
    }
    try {
      return toPrincipal(await verify(token, resource, true));
    } catch (error) {
      if (error instanceof errors.JOSEError) return { reason: error.code };
      throw error;
    }
  };
}

function toPrincipal(claims: JWTPayload): VerifiedToken | { reason: string } {
  const { sub, jti, tenant, scope, grant, client_id: clientId, client_grant: clientGrantId } = claims;
  if (
    typeof sub !== "string" ||
    typeof jti !== "string" ||
    typeof tenant !== "string" ||
    typeof clientId !== "string" ||
    typeof grant !== "string" ||
    (clientGrantId !== undefined && typeof clientGrantId !== "string")
  ) {
    return { reason: "claims are incomplete" };
  }
  const thumbprint = thumbprintOf(claims["cnf"]);
  if (thumbprint === null) return { reason: "bound in an unknown way" };
  const scopes = typeof scope === "string" ? scope.split(" ").filter(isScope) : [];
  return {
    principal: {
      credential: { kind: "access_token", id: jti, name: null },
      // RFC 9068 §2.2: without a person, the subject is the client.
      userId: sub === clientId ? machineUserId(clientId) : sub,
      tenantId: tenant,
      scopes: new Set(scopes),
      clientId,
      grantId: grant,
      servers: null,
      tools: null,
      restricted: false,
    },
    clientGrantId,
    thumbprint,
  };
}

/**
 * Thumbprint that a token is bound to (RFC 7800 §3.1). Undefined: not bound. Null: bound in a way not supported here.
 */
function thumbprintOf(confirmation: unknown): string | undefined | null {
  if (confirmation === undefined) return undefined;
  if (typeof confirmation !== "object" || confirmation === null || Object.keys(confirmation).length !== 1) return null;
  return "jkt" in confirmation && typeof confirmation.jkt === "string" ? confirmation.jkt : null;
}
