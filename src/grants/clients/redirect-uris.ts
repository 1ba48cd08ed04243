/** Private-use schemes of well-known editors and launchers that are not reversed domain names (RFC 8252 §7.1). */
export const EDITOR_REDIRECT =
  /^((cursor:\/\/anysphere\.cursor-(mcp|retrieval)\/oauth\/|(vscode|vscode-insiders|vscodium|windsurf|warp|zed):\/\/[a-z0-9.-]+\/)[A-Za-z0-9/._~-]{0,200}|raycast:\/\/oauth\/?(\?package_name=[A-Za-z0-9%._~-]{1,200})?)$/;

const MAX_LENGTH = 2_000;
const LOOPBACK_HOST = /^(localhost\.?|127(\.\d+){0,3}|\[::1\]|\[::ffff:7f.*\])$/;
/** Matches the text as written: parsers read `http://127.1` and `http://0x7f.1` as loopback, but not all of them do. */
const LOOPBACK_REDIRECT = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?]|$)/;
export const REVERSED_DOMAIN_REDIRECT = /^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+:\/(?!\/)/;

/**
 * Why a redirect URI cannot be registered, as a predicate to follow the URI; undefined when it can. Exact matching
 * comes later (RFC 9700 §2.1).
 */
export function redirectUriProblem(uri: string): string | undefined {
  if (uri.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (!/^[!-[\]-~]+$/.test(uri)) return "has a space, a backslash, a control character or a letter outside of ASCII";
  const url = URL.parse(uri);
  if (!url) return "is not an absolute URI";
  if (uri.includes("#") || url.username !== "" || url.password !== "") return "has a fragment or credentials";
  if (EDITOR_REDIRECT.test(uri) || LOOPBACK_REDIRECT.test(uri)) return undefined;
  if (isHttps(uri))
    return LOOPBACK_HOST.test(url.hostname) ? "must be http on loopback, or https elsewhere" : undefined;
  if (url.protocol === "http:") return "must be https, or http on localhost, 127.0.0.1 or [::1]";
  return REVERSED_DOMAIN_REDIRECT.test(uri) ? undefined : "must be https, loopback, or a reversed domain as its scheme";
}

export const isHttps = (uri: string): boolean => uri.startsWith("https://");
