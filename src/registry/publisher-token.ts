import { base64url, equalsInConstantTime, hmac } from "../platform/crypto.ts";
import { ownsNamespace, parseName } from "./name.ts";

/** Who may publish where, for a few minutes: what `mcp-publisher` gets for its proof. It is no access token and no API key. */
export interface PublisherToken {
  grants: readonly { tenantId: string; namespace: string }[];
  /** Who has proved it: a domain or a GitHub account, for the audit log. */
  subject: string;
  method: string;
  /** Epoch milliseconds. */
  expiresAt: number;
}

/** As in the official registry. */
export const PUBLISHER_TOKEN_MS = 300_000;

const PREFIX = "mrp_";
const MAX_LENGTH = 8_192;
const FORM = /^mrp_([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})$/;

/** No other kind of credential begins like this, and no other parser takes it: it has one dot, and JWTs have two. */
export const looksLikePublisherToken = (text: string): boolean => text.startsWith(PREFIX);

const mac = (secret: string, payload: string) => hmac(secret, `registry-publisher\n${payload}`);

/** Signs with the newest of the secrets. */
export async function signPublisherToken(secrets: readonly string[], token: PublisherToken): Promise<string> {
  const content = {
    v: 1,
    e: token.expiresAt,
    m: token.method,
    s: token.subject,
    g: token.grants.map(({ tenantId, namespace }) => [tenantId, namespace]),
  };
  const payload = base64url(new TextEncoder().encode(JSON.stringify(content)));
  return `${PREFIX}${payload}.${await mac(secrets[0] ?? "", payload)}`;
}

/** What a token says; undefined for one that is not ours, or not any more. `now` is epoch milliseconds. */
export async function readPublisherToken(
  secrets: readonly string[],
  text: string,
  now: number,
): Promise<PublisherToken | undefined> {
  const [, payload, signature] = text.length <= MAX_LENGTH ? (FORM.exec(text) ?? []) : [];
  if (payload === undefined || signature === undefined) return undefined;
  const expected = await Promise.all(secrets.map((secret) => mac(secret, payload)));
  if (!expected.some((one) => equalsInConstantTime(one, signature))) return undefined;
  const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  const { v, e, m, s, g } = JSON.parse(new TextDecoder().decode(bytes)) as Content;
  if (v !== 1 || e <= now) return undefined;
  return { expiresAt: e, method: m, subject: s, grants: g.map(([tenantId, namespace]) => ({ tenantId, namespace })) };
}

/** Only what {@link signPublisherToken} has written gets this far. */
interface Content {
  v: number;
  e: number;
  m: string;
  s: string;
  g: [tenantId: string, namespace: string][];
}

/**
 * The grant under which a token may speak of a server: of those that cover its name, the closest. Undefined when none does. Whether the
 * namespace still is that tenant's, and whether it covers what is below it, is asked again where it is kept.
 */
export function grantFor({ grants }: PublisherToken, name: string): PublisherToken["grants"][number] | undefined {
  const namespace = parseName(name)?.namespace;
  if (namespace === undefined) return undefined;
  return grants
    .filter((grant) => ownsNamespace(grant.namespace, namespace))
    .toSorted((a, b) => b.namespace.length - a.namespace.length)[0];
}

/** The names that a grant is for, as patterns. */
export const patternsOf = (namespace: string): string[] => [`${namespace}/*`, `${namespace}.*`];
