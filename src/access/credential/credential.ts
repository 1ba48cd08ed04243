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
/** A header without a value, or with the name of a scheme only: what a client sends whose setting is empty. */
const EMPTY = /^\s*((Bearer|DPoP|Basic)\s*)?$/i;

/** The mistakes that people make when they set a header by hand, and what to do instead. */
const MISTAKES: readonly (readonly [header: "authorization" | "apiKey", form: RegExp, problem: string])[] = [
  ["apiKey", /^["'`].*["'`]$/, "Send the API key without quotation marks."],
  ["apiKey", /^(Bearer|Basic|Token) /i, "Send the API key alone in x-api-key, without a scheme such as Bearer."],
  ["authorization", /^((Bearer|DPoP) +)?["'`]/i, "Send the key or token without quotation marks."],
  ["authorization", /^mrg_/, "Send the API key as Authorization: Bearer <key>, or in the header x-api-key."],
  ["authorization", /^eyJ/, "Send the access token as Authorization: Bearer <token>."],
  [
    "authorization",
    /^Basic /i,
    "Send an access token or an API key as Authorization: Bearer <value>. Basic is not used here.",
  ],
];

/**
 * Reads `Authorization: Bearer <access token or API key>`, `Authorization: DPoP <access token>` or
 * `x-api-key: <API key>`, and exactly one of them (RFC 6750 §2: never more than one method). A credential in the URL is
 * refused even beside a valid one, because it is already in somebody's logs. A header without a value counts as absent.
 */
export function readCredential(
  headers: { authorization: string | undefined; apiKey: string | undefined; proof: PresentedProof },
  query: URLSearchParams,
): PresentedCredential | { refusal: AccessRefusal } {
  const { proof } = headers;
  const [authorization, apiKey] = [headers.authorization, headers.apiKey].map((value) =>
    value === undefined || EMPTY.test(value) ? undefined : value,
  );
  if ([...query.keys()].some((name) => URL_PARAMETERS.includes(name.toLowerCase())))
    return { refusal: { kind: "credential_in_url" } };
  if (authorization !== undefined && apiKey !== undefined) return { refusal: { kind: "several_credentials" } };
  // Fetch joins repeated headers with a comma, which no credential contains.
  if (apiKey?.includes(",") || authorization?.includes(",")) return { refusal: { kind: "several_credentials" } };
  if (apiKey !== undefined) return mistakeIn("apiKey", apiKey) ?? { kind: "api_key", key: apiKey };
  if (authorization === undefined) return { refusal: { kind: "no_credential" } };
  const [, scheme = "", token] = authorization.length <= MAX_LENGTH ? (TOKEN.exec(authorization) ?? []) : [];
  if (token === undefined) return mistakeIn("authorization", authorization) ?? NOT_BEARER;
  if (scheme.toLowerCase() === "bearer")
    return looksLikeApiKey(token) ? { kind: "api_key", key: token } : { kind: "access_token", token };
  // API keys are not bound to a key pair, so only an access token is valid under the DPoP scheme.
  return { kind: "access_token", token, proof };
}

const NOT_BEARER = {
  refusal: { kind: "invalid_credential", reason: "not a bearer token", presented: "access_token" },
} as const;

function mistakeIn(header: "authorization" | "apiKey", value: string): { refusal: AccessRefusal } | undefined {
  const mistake = MISTAKES.find(([where, form]) => where === header && form.test(value));
  return mistake && { refusal: { kind: "malformed_credential", problem: mistake[2] } };
}
