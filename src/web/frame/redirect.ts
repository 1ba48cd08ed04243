/** Schemes that a browser runs or reads itself instead of handing the redirect to somebody. */
const OWN_SCHEMES = /^(javascript|data|vbscript|blob|file|filesystem|about|view-source):$/;
/** What the grammar of a CSP host-source can express; brackets of an IPv6 address it cannot (CSP Level 3 §2.3.1). */
const CSP_HOST = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?$/;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** The redirect URI as a URL, or undefined when it is one that must never be followed. */
function redirectable(uri: string): URL | undefined {
  const url = URL.parse(uri);
  if (!url || OWN_SCHEMES.test(url.protocol) || url.username !== "" || url.password !== "") return undefined;
  return url;
}

/** The CSP source for a redirect URI: its origin, or only its scheme when the host cannot be expressed or there is none. */
export function formActionSource(redirectUri: string): string | undefined {
  const url = redirectable(redirectUri);
  if (!url) return undefined;
  const web = url.protocol === "https:" || url.protocol === "http:";
  return web && CSP_HOST.test(url.host) ? url.origin : url.protocol;
}

/**
 * The absolute URL to send a browser to, or undefined for one that is neither on this origin nor the redirect URI of the
 * authorization that the caller has checked. Only the query of a redirect URI may differ: the answer is added to it.
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
 * Reads `next` of a confirmation link: where to sign in afterwards. The answer is always built from the login page, so a link
 * can bring a query (an authorization to go on with) but never a place.
 */
export function signInPath(next: string | null, loginPage: string): string {
  for (const page of ["/sign-in", loginPage]) {
    if (!next?.startsWith(`${page}?`)) continue;
    const query = next.slice(page.length + 1);
    if (/^[\w*.+%=&-]+$/.test(query)) return `${loginPage}?${query}`;
  }
  return loginPage;
}

/** Who receives the answer of an authorization, in terms a person can judge. */
export type RedirectReceiver =
  | { kind: "site"; host: string }
  | { kind: "loopback"; host: string }
  | { kind: "app"; scheme: string };

/** The receiver behind a redirect URI. Hosts are in their ASCII form, so that look-alike letters show. */
export function redirectReceiver(redirectUri: string): RedirectReceiver | undefined {
  const url = redirectable(redirectUri);
  if (!url) return undefined;
  if (url.protocol !== "https:" && url.protocol !== "http:") return { kind: "app", scheme: url.protocol };
  return { kind: LOOPBACK.test(url.hostname) ? "loopback" : "site", host: url.host };
}

/** Pages that a login may lead back to; none of them does anything by being opened. */
const PAGES = /^\/(dashboard|invite|device|approve|connect)(\/[A-Za-z0-9_-]+){0,3}$/;

/** Where to go after signing in: a path of one of our own pages, as it was asked for; anything else is ignored. */
export const nextPage = (asked: string | null | undefined): string | undefined =>
  asked !== null && asked !== undefined && PAGES.test(asked) ? asked : undefined;
