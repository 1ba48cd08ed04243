import { sha256 } from "../platform/crypto.ts";

/** Several clients refuse longer names, and add their own prefix to ours. */
const MAX_LENGTH = 64;
const SEPARATOR = "__";
const HASH_LENGTH = 8;

/**
 * The name of an upstream's tool on `/mcp`: `{slug}__{tool}`. When it is longer than 64 characters, a hash replaces its
 * end.
 */
export async function exposedName(slug: string, tool: string): Promise<string> {
  const name = `${slug}${SEPARATOR}${tool}`;
  if (name.length <= MAX_LENGTH) return name;
  return `${name.slice(0, MAX_LENGTH - HASH_LENGTH - 1)}_${(await sha256(name)).replace(/[^A-Za-z0-9]/g, "0").slice(0, HASH_LENGTH)}`;
}

/**
 * Splits an exposed name at its first `__`; null when it is not a tool of an upstream. Slugs have no underscore, so the
 * split is unambiguous.
 */
export function splitExposedName(name: string): { slug: string; rest: string; mayBeHashed: boolean } | null {
  const at = name.indexOf(SEPARATOR);
  if (at < 1) return null;
  return { slug: name.slice(0, at), rest: name.slice(at + SEPARATOR.length), mayBeHashed: name.length === MAX_LENGTH };
}
