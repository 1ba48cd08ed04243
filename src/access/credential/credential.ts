import { looksLikeApiKey } from "../../keys/token.ts";
import type { PresentedProof } from "./dpop.ts";
import type { AccessRefusal } from "../refusal.ts";

/** The one credential of a request, before it is checked. */
export type PresentedCredential =
  /** `proof` is set when the scheme is DPoP (RFC 9449 §7.1). */
  { kind: "access_token"; token: string; proof?: PresentedProof } | { kind: "api_key"; key: string };

const MAX_LENGTH = 8_192;
const URL_PARAMETERS = ["access_token", "api_key", "apikey", "x-api-key", "key", "token"];
const TOKEN = /^(Bearer|DPoP) +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Reads `Authorization: Bearer <access token or API key>`, `Authorization: DPoP <access token>` or
 * `x-api-key: <API key>`, and exactly one of them (RFC 6750 §2: never more than one method). A credential in the URL is
 * refused even beside a valid one, because it is already in somebody's logs.
 */
export function readCredential(
  headers: { authorization: string | undefined; apiKey: string | undefined; proof: PresentedProof },
  query: URLSearchParams,
): PresentedCredential | { refusal: AccessRefusal } {
  const { authorization, apiKey, proof } = headers;
  if ([...query.keys()].some((name) => URL_PARAMETERS.includes(name.toLowerCase())))
    return { refusal: { kind: "credential_in_url" } };
  if (authorization !== undefined && apiKey !== undefined) return { refusal: { kind: "several_credentials" } };
  if (apiKey !== undefined) {
    // Fetch joins repeated headers with a comma, which no key contains.
    if (apiKey.includes(",")) return { refusal: { kind: "several_credentials" } };
    return { kind: "api_key", key: apiKey };
  }
  if (authorization === undefined) return { refusal: { kind: "no_credential" } };
  if (authorization.includes(",")) return { refusal: { kind: "several_credentials" } };
  const [, scheme = "", token] = authorization.length <= MAX_LENGTH ? (TOKEN.exec(authorization) ?? []) : [];
  if (token === undefined) {
    return { refusal: { kind: "invalid_credential", reason: "not a bearer token", presented: "access_token" } };
  }
  if (scheme.toLowerCase() === "bearer")
    return looksLikeApiKey(token) ? { kind: "api_key", key: token } : { kind: "access_token", token };
  // API keys are not bound to a key pair, so only an access token is valid under the DPoP scheme.
  return { kind: "access_token", token, proof };
}
