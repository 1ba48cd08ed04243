// Hosts outside of the stack, as the Worker sees them: metadata documents and the resolver. Everything else goes through.
import { vi } from "vitest";

/** Answers for one host, or for every host when it is called "*". */
export type Host = (request: Request) => Response | Promise<Response>;

export interface Outside {
  /** URLs asked of the hosts, oldest first; look-ups of names are not among them. */
  asked: string[];
}

const RESOLVER = "cloudflare-dns.com";
const PUBLIC_ADDRESS = "93.184.216.34";

/**
 * Runs `work` with these hosts in place of the Internet. `addresses` says what a name resolves to, a public address unless told; null is a
 * resolver that fails; `texts` are its TXT records, none unless told. A gateway must be made inside `work`: it takes hold of `fetch` when it is made.
 */
export async function outside<T>(
  hosts: Readonly<Record<string, Host>>,
  work: (outside: Outside) => Promise<T>,
  addresses: Readonly<Record<string, readonly string[] | null>> = {},
  texts: Readonly<Record<string, readonly string[] | null>> = {},
): Promise<T> {
  const real = globalThis.fetch;
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (target: RequestInfo | URL, init?: RequestInit) => {
    const request = new Request(target, init);
    const url = new URL(request.url);
    if (url.host === RESOLVER)
      return url.searchParams.get("type") === "TXT" ? resolveText(url, texts) : resolve(url, addresses);
    if (/^(localhost|127\.0\.0\.1)$/.test(url.hostname)) return real(target, init);
    asked.push(request.url);
    const host = hosts[url.host] ?? hosts["*"];
    if (!host) throw new TypeError("fetch failed");
    return host(request);
  });
  try {
    return await work({ asked });
  } finally {
    vi.stubGlobal("fetch", real);
  }
}

function resolve(url: URL, addresses: Readonly<Record<string, readonly string[] | null>>): Response {
  const name = url.searchParams.get("name") ?? "";
  const type = url.searchParams.get("type");
  const found = name in addresses ? addresses[name] : [PUBLIC_ADDRESS];
  if (found === null || found === undefined) return new Response("no", { status: 502 });
  const records = found
    .filter((address) => address.includes(":") === (type === "AAAA"))
    .map((data) => ({ name, type: type === "AAAA" ? 28 : 1, TTL: 60, data }));
  return Response.json({ Status: found.length === 0 ? 3 : 0, Answer: records });
}

/** As the resolver writes them: in quotes, in parts of at most 255 bytes. */
function resolveText(url: URL, texts: Readonly<Record<string, readonly string[] | null>>): Response {
  const name = url.searchParams.get("name") ?? "";
  const found = name in texts ? texts[name] : [];
  if (found === null || found === undefined) return new Response("no", { status: 502 });
  const quoted = (text: string) =>
    (text.match(/.{1,255}/gs) ?? [""]).map((part) => `"${part.replaceAll(/["\\]/g, "\\$&")}"`).join(" ");
  const records = found.map((text) => ({ name, type: 16, TTL: 60, data: quoted(text) }));
  return Response.json({ Status: 0, Answer: records });
}
