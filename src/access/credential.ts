import { looksLikeApiKey } from "../keys/token.ts";
import type { AccessRefusal } from "./refusal.ts";

/** The one credential of a request, before it is checked. */
export type PresentedCredential = { kind: "access_token"; token: string } | { kind: "api_key"; key: string };

const MAX_LENGTH = 8_192;
const URL_PARAMETERS = ["access_token", "api_key", "apikey", "x-api-key", "key", "token"];
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Reads `Authorization: Bearer <access token or API key>` or `x-api-key: <API key>`, exactly one of them (RFC 6750 §2: never
 * more than one method). A credential in the URL is refused even beside a good one: it has been logged somewhere already.
 */
export function readCredential(
  headers: { authorization: string | undefined; apiKey: string | undefined },
  query: URLSearchParams,
): PresentedCredential | { refusal: AccessRefusal } {
  const { authorization, apiKey } = headers;
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
  const token = authorization.length <= MAX_LENGTH ? BEARER.exec(authorization)?.[1] : undefined;
  if (token === undefined) {
    return { refusal: { kind: "invalid_credential", reason: "not a bearer token", presented: "access_token" } };
  }
  return looksLikeApiKey(token) ? { kind: "api_key", key: token } : { kind: "access_token", token };
}
