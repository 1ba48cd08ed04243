import { isPublicAddress } from "../ip.ts";
import { OutboundRefused, type Outbound } from "./outbound.ts";

const RESOLVER = "https://cloudflare-dns.com/dns-query";
const TIMEOUT_MS = 2_000;
/** DNS resource record types (IANA) whose data is an address. */
const ADDRESS_TYPES = { A: 1, AAAA: 28 } as const;
const NO_ERROR = 0;
const NAME_UNKNOWN = 3;

/** The resolver did not answer, so it is unknown whether the name is public. */
export class ResolverUnavailable extends Error {
  override readonly name = "ResolverUnavailable";
}

/**
 * All addresses of a host name, by DNS over HTTPS
 * (https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/).
 */
async function addressesOf(host: string, fetcher: typeof fetch): Promise<string[]> {
  const answers = await Promise.all(
    Object.entries(ADDRESS_TYPES).map(([name, type]) => ask(host, name, type, fetcher)),
  );
  return answers.flat();
}

async function ask(host: string, name: string, type: number, fetcher: typeof fetch): Promise<string[]> {
  const query = new URLSearchParams({ name: host, type: name });
  try {
    const answer = await fetcher(`${RESOLVER}?${query.toString()}`, {
      headers: { accept: "application/dns-json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { Status: status, Answer: records = [] } = await answer.json<DnsAnswer>();
    if (status === NAME_UNKNOWN) return [];
    if (status !== NO_ERROR) throw new Error(`DNS status ${status}`);
    return records.filter((record) => record.type === type).map((record) => record.data);
  } catch (cause) {
    throw new ResolverUnavailable(`the resolver did not answer for ${host}`, { cause });
  }
}

const TEXT = 16;

/**
 * The TXT records of a name, each as one text (RFC 1035 §3.3.14). Throws {@link ResolverUnavailable} when the resolver
 * does not answer.
 */
export async function textRecords(name: string, fetcher: typeof fetch = fetch): Promise<string[]> {
  return (await ask(name, "TXT", TEXT, fetcher)).map(unquoted);
}

/**
 * Joins the parts of a TXT record. DNS JSON has them in quotes, `"v=MCPv1; " "k=…"`, with other characters escaped by a
 * backslash.
 */
function unquoted(data: string): string {
  const parts = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part = ""]) => part.replaceAll(/\\(.)/g, "$1"));
  return parts.length === 0 ? data : parts.join("");
}

interface DnsAnswer {
  Status: number;
  Answer?: { type: number; data: string }[];
}

/**
 * Allows requests only to hosts whose addresses are all public. A Worker cannot pin the address that it then connects
 * to; the platform's own check (`global_fetch_strictly_public`) is the second line of defense. `allow` lists
 * `host:port` that are not checked, for development.
 */
export function publicNamesOnly(outbound: Outbound, allow: readonly string[], fetcher: typeof fetch = fetch): Outbound {
  return async (target, init) => {
    const { hostname, host, port, protocol } = new URL(target);
    const place = port === "" ? `${hostname}:${protocol === "https:" ? 443 : 80}` : host;
    if (!allow.includes(place)) {
      const addresses = await addressesOf(hostname, fetcher);
      if (addresses.length === 0) throw new OutboundRefused(`${host}: this name has no address`);
      if (!addresses.every(isPublicAddress))
        throw new OutboundRefused(`${host}: this name leads to an address that is not public`);
    }
    return outbound(target, init);
  };
}
