/** Schemes that a browser executes or displays itself, instead of passing the redirect to an app or a site. */
const OWN_SCHEMES = /^(javascript|data|vbscript|blob|file|filesystem|about|view-source):$/;
/** Hosts that the grammar of a CSP host-source can express. It does not allow IPv6 addresses (CSP Level 3 §2.3.1). */
const CSP_HOST = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The redirect URI as a URL, or undefined if it must never be followed. */
function redirectable(uri: string): URL | undefined {
  const url = URL.parse(uri);
  if (!url || OWN_SCHEMES.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  return url;
}

/**
 * The CSP source for a redirect URI: its origin, or only its scheme if it has no host or one that CSP cannot express.
 */
export function formActionSource(redirectUri: string): string | undefined {
  const url = redirectable(redirectUri);
  if (!url) return undefined;
  const web = url.protocol === "https:" || url.protocol === "http:";
  return web && CSP_HOST.test(url.host) ? url.origin : url.protocol;
}

/**
 * The absolute URL to redirect a browser to. Undefined for a URL that is neither on this origin nor the redirect URI of
 * the authorization, which the caller has checked. Only the query of a redirect URI may differ: the response is added
 * to it.
 */
export function checkedTarget(target: string, origin: string, redirectUri?: string): string | undefined {
  const url = URL.parse(target, origin);
  if (!url) return undefined;
  if (url.origin === origin) return url.href;
  const client = redirectUri === undefined ? undefined : redirectable(redirectUri);
  const same =
    client && url.protocol === client.protocol && url.host === client.host && url.pathname === client.pathname;
  return same && redirectable(target) ? url.href : undefined;
}

/**
 * Reads `next` of a confirmation link: where to sign in afterwards. The result is always a path of the sign-in page, so
 * a link can add a query (an authorization to continue) but cannot choose another page.
 */
export function signInPath(next: string | null, loginPage: string): string {
  for (const page of ["/sign-in", loginPage]) {
    if (!next?.startsWith(`${page}?`)) continue;
    const query = next.slice(page.length + 1);
    if (/^[\w*.+%=&-]+$/.test(query)) return `${loginPage}?${query}`;
  }
  return loginPage;
}

/** Who receives the authorization response, in terms that a person can judge. */
export type RedirectReceiver =
  | { kind: "site"; host: string }
  | { kind: "loopback"; host: string }
  | { kind: "app"; scheme: string };

/** The receiver behind a redirect URI. Hosts are in their ASCII form, which exposes look-alike letters. */
export function redirectReceiver(redirectUri: string): RedirectReceiver | undefined {
  const url = redirectable(redirectUri);
  if (!url) return undefined;
  if (url.protocol !== "https:" && url.protocol !== "http:") return { kind: "app", scheme: url.protocol };
  return { kind: LOOPBACK.test(url.hostname) ? "loopback" : "site", host: url.host };
}

/** Pages to which a sign-in may return. Opening any of them changes nothing. */
const PAGES = /^\/(dashboard|invite|device|approve|connect)(\/[A-Za-z0-9_-]+){0,3}$/;

/** Where to go after signing in: the requested path if it is one of {@link PAGES}, else undefined. */
export const nextPage = (asked: string | null | undefined): string | undefined =>
  asked !== null && asked !== undefined && PAGES.test(asked) ? asked : undefined;
