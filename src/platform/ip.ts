/**
 * A range of addresses. Both ends are in the form of {@link canonicalAddress}, so that comparing texts compares
 * addresses.
 */
export type AddressRange = readonly [first: string, last: string];

const BITS = 128;
/** IPv4 in IPv6 (RFC 4291 §2.5.5.2). */
const MAPPED_PREFIX = "0".repeat(20) + "ffff";
const MAPPED_BITS = 96;

/**
 * An IPv4 or IPv6 address as 32 lowercase hexadecimal digits, IPv4 in its IPv6-mapped form; undefined for any other
 * text.
 */
export function canonicalAddress(text: string): string | undefined {
  const v4 = ipv4Hex(text);
  return v4 === undefined ? ipv6Hex(text) : MAPPED_PREFIX + v4;
}

/**
 * The range of an address or a CIDR block (RFC 4632, RFC 4291 §2.3). Undefined when the text is neither, when the
 * prefix length is too large, or when bits outside of the prefix are set: such an entry is a mistake, and a guess could
 * allow or block the wrong addresses.
 */
export function addressRange(text: string): AddressRange | undefined {
  const [address = "", length, ...more] = text.trim().split("/");
  const first = canonicalAddress(address);
  if (first === undefined || more.length > 0) return undefined;
  const isV4 = !address.includes(":");
  const width = isV4 ? 32 : BITS;
  if (length !== undefined && !/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const bits = length === undefined ? width : Number(length);
  if (bits > width) return undefined;
  const prefix = isV4 ? MAPPED_BITS + bits : bits;
  const mask = prefix === 0 ? 0n : ((1n << BigInt(prefix)) - 1n) << BigInt(BITS - prefix);
  const value = BigInt(`0x${first}`);
  if ((value & mask) !== value) return undefined;
  const host = (1n << BigInt(BITS - prefix)) - 1n;
  return [first, hex32(value | host)];
}

/**
 * The key by which requests of unauthenticated callers are counted: an IPv4 address as 8 hexadecimal digits, or the /64
 * of an IPv6 customer (RFC 6177) as 16. All requests with an absent or malformed address share one key.
 */
export function visitorKey(address: string | null): string {
  const canonical = canonicalAddress(address ?? "");
  if (canonical === undefined) return "unknown";
  return canonical.startsWith(MAPPED_PREFIX) ? canonical.slice(MAPPED_PREFIX.length) : canonical.slice(0, 16);
}

const hex32 = (value: bigint) => value.toString(16).padStart(32, "0");

function ipv4Hex(text: string): string | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("");
}

function ipv6Hex(text: string): string | undefined {
  const lastColon = text.lastIndexOf(":");
  if (lastColon < 0 || text.length > 45) return undefined;
  const tail = text.slice(lastColon + 1);
  const v4 = tail.includes(".") ? ipv4Hex(tail) : undefined;
  if (tail.includes(".") && v4 === undefined) return undefined;
  const plain = v4 === undefined ? text : `${text.slice(0, lastColon + 1)}${v4.slice(0, 4)}:${v4.slice(4)}`;
  const [head = "", rest, ...more] = plain.split("::");
  if (more.length > 0) return undefined;
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const missing = 8 - before.length - after.length;
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array.from({ length: Math.max(0, missing) }, () => "0"), ...after];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return all.map((group) => group.toLowerCase().padStart(4, "0")).join("");
}

/**
 * Blocks without public hosts (IANA special-purpose registries for IPv4, RFC 6890), and IPv6 blocks outside of global
 * unicast or for tunnels.
 */
const NOT_PUBLIC = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
].map((block) => addressRange(block) ?? fail(block));
const GLOBAL_UNICAST = addressRange("2000::/3") ?? fail("2000::/3");
const MAPPED = addressRange("0.0.0.0/0") ?? fail("0.0.0.0/0");

const isIn = ([first, last]: AddressRange, address: string) => first <= address && address <= last;

function fail(block: string): never {
  throw new Error(`not a CIDR block: ${block}`);
}

/** Whether an address can be a public host: not private, local, for documentation or for a tunnel, in any spelling. */
export function isPublicAddress(text: string): boolean {
  const address = canonicalAddress(text);
  if (address === undefined) return false;
  return (isIn(MAPPED, address) || isIn(GLOBAL_UNICAST, address)) && !NOT_PUBLIC.some((block) => isIn(block, address));
}
