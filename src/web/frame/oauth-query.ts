import { signature } from "../../auth/cookie-rotation.ts";
import { equalsInConstantTime } from "../../platform/crypto.ts";

/**
 * An authorization request that is passed through our pages. The authorization server has signed it after checking
 * client, redirect URI, scopes and resource. It gets `raw` back and checks the signature again whenever it acts on it.
 */
export interface OAuthQuery {
  /** The query in URL encoding, normalized, so that it can be used in a header. */
  raw: string;
  /** The signature is valid but has expired. The request can be sent again with {@link restartPath}. */
  expired: boolean;
  clientId: string;
  redirectUri: string;
  scopes: readonly string[];
  resources: readonly string[];
  prompts: readonly string[];
}

const SIGNATURE_PARAMETERS = ["sig", "exp", "ba_iat", "ba_pl", "ba_param"];
const words = (text: string | null) => (text ?? "").split(" ").filter((word) => word !== "");

/**
 * Reads a page's query string. Returns undefined when it is not an authorization request, "forged" when its signature
 * is wrong. `now` is in milliseconds.
 */
export async function readOAuthQuery(
  raw: string,
  secrets: readonly string[],
  now: number,
): Promise<OAuthQuery | "forged" | undefined> {
  const parameters = new URLSearchParams(raw);
  const clientId = parameters.get("client_id");
  if (!parameters.has("sig") || clientId === null) return undefined;
  if (!(await signedByNewest(parameters, secrets))) return "forged";
  return {
    raw: parameters.toString(),
    expired: Number(parameters.get("exp")) * 1000 < now,
    clientId,
    redirectUri: parameters.get("redirect_uri") ?? "",
    scopes: words(parameters.get("scope")),
    resources: parameters.getAll("resource"),
    prompts: words(parameters.get("prompt")),
  };
}

/**
 * Checks Better Auth's signature: HMAC-SHA-256 in base64 over all other parameters, sorted by name, then value. A
 * signature by an older secret is replaced, because Better Auth checks with the newest secret only.
 */
async function signedByNewest(parameters: URLSearchParams, secrets: readonly string[]): Promise<boolean> {
  const [given = "", ...more] = parameters.getAll("sig");
  if (more.length > 0) return false;
  const signed = [...parameters].filter(([name]) => name !== "sig").toSorted(byNameThenValue);
  const text = new URLSearchParams(signed).toString();
  const plain = `${given.replaceAll("-", "+").replaceAll("_", "/").replaceAll("=", "")}=`;
  for (const secret of secrets) {
    if (!equalsInConstantTime(plain, await signature(secret, text))) continue;
    if (secret !== secrets[0]) parameters.set("sig", await signature(secrets[0] ?? secret, text));
    return true;
  }
  return false;
}

function byNameThenValue([nameA, valueA]: [string, string], [nameB, valueB]: [string, string]): number {
  if (nameA !== nameB) return nameA < nameB ? -1 : 1;
  return valueA === valueB ? 0 : valueA < valueB ? -1 : 1;
}

/**
 * The path that starts the same authorization request again, for when the signature expired while the person was
 * reading an email or looking for a password. `satisfied` are the prompts that the person has just completed (OpenID
 * Connect Core §3.1.2.1).
 */
export function restartPath(query: OAuthQuery, satisfied: readonly string[]): string {
  const parameters = new URLSearchParams(query.raw);
  for (const name of SIGNATURE_PARAMETERS) parameters.delete(name);
  const prompts = query.prompts.filter((prompt) => !satisfied.includes(prompt));
  if (prompts.length === 0) parameters.delete("prompt");
  else parameters.set("prompt", prompts.join(" "));
  return `/api/auth/oauth2/authorize?${parameters.toString()}`;
}
