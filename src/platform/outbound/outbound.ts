import { publicUrlProblem } from "./public-url.ts";

/**
 * Requests to URLs that others chose (upstreams, client metadata): only to public hosts over https, without following
 * redirects.
 */
export type Outbound = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** The URL is not allowed, or answered with a redirect. `message` names the host and the reason. */
export class OutboundRefused extends Error {
  override readonly name = "OutboundRefused";
}

/**
 * Guards every outbound request against SSRF (OWASP). `allow` lists `host:port` that are allowed in addition to public
 * hosts, for development. A redirect is an error, because it would leave the URL that was checked. The platform
 * resolves names and, with `global_fetch_strictly_public`, refuses addresses that are not public.
 */
export function guardedFetch(allow: readonly string[], fetcher: typeof fetch = fetch): Outbound {
  return async (target, init = {}) => {
    const url = new URL(target);
    const problem = publicUrlProblem(url, allow);
    if (problem !== undefined) throw new OutboundRefused(`${url.host}: ${problem}`);
    const response = await fetcher(url.href, { ...init, redirect: "manual" });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw new OutboundRefused(`${url.host}: answered with a redirect`);
    }
    return response;
  };
}
