const LOCAL_NAMES =
  /(^|\.)(localhost|localdomain|local|internal|intranet|lan|home|corp|private|test|invalid|onion|arpa)$/;
const METADATA_NAMES = new Set(["metadata.goog", "instance-data"]);
const DNS_TO_ADDRESS = /(^|\.)(nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me)$/;

/** Why this Worker may not request a URL, or undefined. `allow` lists `host:port` that are accepted unchecked. */
export function publicUrlProblem(url: URL, allow: readonly string[] = []): string | undefined {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (url.username !== "" || url.password !== "") return "a URL must not carry credentials";
  if (allow.includes(`${url.hostname}:${port}`) && /^https?:$/.test(url.protocol)) return undefined;
  if (url.protocol !== "https:") return "only https is allowed";
  if (port !== "443" && Number(port) < 1024) return "this port is not allowed";
  const host = url.hostname.toLowerCase().replace(/\.+$/, "");
  if (isAddress(host)) return "an IP address is not allowed, use a public host name";
  if (!host.includes(".")) return "only public host names are allowed";
  if (LOCAL_NAMES.test(host) || METADATA_NAMES.has(host) || DNS_TO_ADDRESS.test(host))
    return "this host name is not public";
  return undefined;
}

/**
 * Whether a host is an IP address. The URL parser has already normalized all spellings of IPv4 (octal, hexadecimal, one
 * number).
 */
function isAddress(host: string): boolean {
  return host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host);
}
