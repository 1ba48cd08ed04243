import { z } from "zod";
import { signed } from "../../platform/signed.ts";
import { ownsNamespace, parseName } from "../name.ts";

/**
 * A token that `mcp-publisher` gets for a proof: who may publish where, for a few minutes. It is neither an access
 * token nor an API key.
 */
export interface PublisherToken {
  grants: readonly { tenantId: string; namespace: string }[];
  /** The domain or GitHub account that was proved, for the audit log. */
  subject: string;
  method: string;
}

/** As in the official registry. */
export const PUBLISHER_TOKEN_MS = 300_000;

const PREFIX = "mrp_";
/** Short member names: a token is sent in a header and may name many namespaces. */
const content = signed(
  "publisher",
  z.object({ m: z.string(), s: z.string(), g: z.array(z.tuple([z.string(), z.string()])) }),
);

/**
 * Whether a text has the prefix of publisher tokens. No other credential begins like this, and no other parser accepts
 * it: it has one dot, a JWT has two.
 */
export const looksLikePublisherToken = (text: string): boolean => text.startsWith(PREFIX);

/** The token as text, signed with the newest of the secrets. `expiresAt` is epoch milliseconds. */
export async function signPublisherToken(
  secrets: readonly string[],
  { method, subject, grants }: PublisherToken,
  expiresAt: number,
): Promise<string> {
  const short = {
    m: method,
    s: subject,
    g: grants.map(({ tenantId, namespace }): [string, string] => [tenantId, namespace]),
  };
  return `${PREFIX}${await content.sign(secrets, short, expiresAt)}`;
}

/** The content of a token; undefined if it is not ours or has expired. `now` is epoch milliseconds. */
export async function readPublisherToken(
  secrets: readonly string[],
  text: string,
  now: number,
): Promise<PublisherToken | undefined> {
  if (!looksLikePublisherToken(text)) return undefined;
  const short = await content.read(secrets, text.slice(PREFIX.length), now);
  if (short === undefined) return undefined;
  const { m: method, s: subject, g } = short;
  return { method, subject, grants: g.map(([tenantId, namespace]) => ({ tenantId, namespace })) };
}

/**
 * The grant of a token that allows a server's name; of several, the one with the longest namespace. Undefined when none
 * does. Publishing checks again that the namespace still belongs to the tenant and covers the name.
 */
export function grantFor({ grants }: PublisherToken, name: string): PublisherToken["grants"][number] | undefined {
  const namespace = parseName(name)?.namespace;
  if (namespace === undefined) return undefined;
  return grants
    .filter((grant) => ownsNamespace(grant.namespace, namespace))
    .toSorted((a, b) => b.namespace.length - a.namespace.length)[0];
}

/** The names that a grant allows, as patterns. */
export const patternsOf = (namespace: string): string[] => [`${namespace}/*`, `${namespace}.*`];
