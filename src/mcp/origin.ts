const LOOPBACK = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/;
const ALLOWED_HEADERS = [
  "authorization",
  "dpop",
  "x-api-key",
  "content-type",
  "accept",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "mcp-session-id",
  "last-event-id",
];
const EXPOSED_HEADERS = "www-authenticate, x-request-id, retry-after, ratelimit, ratelimit-policy, mcp-session-id";

/**
 * Allowed web origins for `/mcp`: none given (not a browser), our own, loopback (local inspectors), and the configured
 * ones.
 */
export function isAllowedOrigin(origin: string | null, own: string, allowed: readonly string[]): boolean {
  return origin === null || origin === own || LOOPBACK.test(origin) || allowed.includes(origin);
}

/** CORS headers for an allowed origin. Never with credentials, because `/mcp` accepts no cookies. */
export function corsHeaders(origin: string | null): Record<string, string> {
  if (origin === null) return {};
  return { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED_HEADERS, vary: "origin" };
}

/** The answer to a preflight from an allowed origin. It allows the `Mcp-Param-*` headers that the browser asks for. */
export function preflightResponse(origin: string, requestedHeaders: string | null): Response {
  const params = (requestedHeaders ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => /^mcp-param-[a-z0-9-]{1,64}$/.test(name));
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": [...ALLOWED_HEADERS, ...params].join(", "),
      "access-control-max-age": "600",
      vary: "origin, access-control-request-headers",
    },
  });
}
