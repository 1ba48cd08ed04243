import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import { isScope } from "../auth/scopes.ts";
import type { SigningKeys } from "../auth/signing-keys.ts";
import type { Principal } from "./principal.ts";

type KeySet = ReturnType<typeof createLocalJWKSet>;
type Keys = Awaited<ReturnType<SigningKeys["publicKeys"]>>;

/** Checks one access token for one resource; `reason` says what is wrong, for the audit log only. */
export type VerifyAccessToken = (
  token: string,
  resource: string,
) => Promise<{ principal: Principal } | { reason: string }>;

const CLOCK_TOLERANCE_SECONDS = 30;

/**
 * Verifies JWT access tokens of this issuer (RFC 9068 §4): `typ`, signature, `iss`, `exp`, and an `aud` that names the resource
 * (RFC 8707). No round trip once the isolate holds the signing keys; an unknown key id reads them again.
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

function toPrincipal(claims: JWTPayload): { principal: Principal } | { reason: string } {
  const { sub, jti, tenant, scope, grant, client_id: clientId } = claims;
  if (
    typeof sub !== "string" ||
    typeof jti !== "string" ||
    typeof tenant !== "string" ||
    typeof clientId !== "string" ||
    typeof grant !== "string"
  ) {
    return { reason: "claims are incomplete" };
  }
  const scopes = typeof scope === "string" ? scope.split(" ").filter(isScope) : [];
  return {
    principal: {
      credential: { kind: "access_token", id: jti, name: null },
      userId: sub,
      tenantId: tenant,
      scopes: new Set(scopes),
      clientId,
      grantId: grant,
    },
  };
}
