import { z } from "zod";
import { signed } from "../../platform/signed.ts";
import { ownsNamespace, parseName } from "../name.ts";

/**
 * Who may publish where, for a few minutes: what `mcp-publisher` gets for its proof. It is no access token and no API
 * key.
 */
export interface PublisherToken {
  grants: readonly { tenantId: string; namespace: string }[];
  /** Who has proved it: a domain or a GitHub account, for the audit log. */
  subject: string;
  method: string;
}

/** As in the official registry. */
export const PUBLISHER_TOKEN_MS = 300_000;

const PREFIX = "mrp_";
/** Short: a token travels in a header and may name many namespaces. */
const content = signed(
  "publisher",
  z.object({ m: z.string(), s: z.string(), g: z.array(z.tuple([z.string(), z.string()])) }),
);

/** No other kind of credential begins like this, and no other parser takes it: it has one dot, and JWTs have two. */
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

/** What a token says; undefined for one that is not ours, or not any more. `now` is epoch milliseconds. */
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
 * The grant under which a token may speak of a server: of those that cover its name, the closest. Undefined when none
 * does. Whether the namespace still is that tenant's, and whether it covers what is below it, is asked again where it
 * is kept.
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
