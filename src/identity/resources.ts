/** The form of an upstream's slug, unique within its tenant. */
const SLUG = /^[a-z0-9-]{1,16}$/;

/** Path segments under `/mcp/` that old OAuth clients use as endpoints, so no upstream may have them as slug. */
export const RESERVED_SLUGS: readonly string[] = ["authorize", "token", "register"];

export const isSlug = (text: string) => SLUG.test(text) && !RESERVED_SLUGS.includes(text);

/** The resource identifier (RFC 8707) of the aggregated endpoint, or of the endpoint of one upstream. */
export const resourceOf = (origin: string, slug?: string) =>
  slug === undefined ? `${origin}/mcp` : `${origin}/mcp/${slug}`;

/** Whether this origin protects a resource, whether or not a tenant has an upstream with that slug. */
export function isResource(identifier: string, origin: string): boolean {
  if (identifier === resourceOf(origin)) return true;
  const prefix = `${origin}/mcp/`;
  return identifier.startsWith(prefix) && isSlug(identifier.slice(prefix.length));
}

/**
 * The resource that a client means. Clients name the bare origin, add a slash at the end, or name none: all of these
 * mean `/mcp`. Scheme and host are compared without case (MCP 2026-07-28, basic/authorization, canonical server URI).
 * Anything else is returned unchanged.
 */
export function canonicalResource(requested: string | undefined, origin: string): string {
  if (requested === undefined || requested === "") return resourceOf(origin);
  const url = URL.parse(requested);
  if (!url || url.origin !== origin || /[?#@\s]/.test(requested)) return requested;
  const path = url.pathname.replace(/\/$/, "");
  return path === "" ? resourceOf(origin) : `${origin}${path}`;
}
