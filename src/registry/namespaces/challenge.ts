import { OutboundRefused, type Outbound } from "../../platform/outbound/outbound.ts";
import { readText } from "../../platform/body.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { hasMark, mark } from "../../platform/signed.ts";

/** A public key that a domain publishes; its holder may publish servers: `v=MCPv1; k=ed25519|ecdsap384; p=<base64>`. */
export interface DomainKey {
  algorithm: "ed25519" | "ecdsap384";
  /** Base64: 32 bytes for Ed25519, or a compressed point of 49 bytes for P-384. */
  publicKey: string;
}

/** Where a domain publishes the proof of its namespace: a DNS TXT record, or a file over HTTPS. */
export type ProofPlace = "dns" | "http";

/** The lines that a domain publishes, or the reason why they could not be read. */
export type Publication = { lines: string[] } | { problem: string };

/**
 * The dependencies of reading proofs: TXT records by DNS over HTTPS, and requests to public hosts that do not follow
 * redirects.
 */
export interface ProofDeps {
  textRecords: (name: string) => Promise<string[]>;
  outbound: Outbound;
}

const MAX_PROOF_BYTES = 4096;
const TIMEOUT_MS = 5_000;
const MAX_KEYS = 10;

/** The URL of a domain's proof file. */
export const proofUrl = (domain: string): string => `https://${domain}/.well-known/mcp-registry-auth`;

/**
 * Reads what a domain publishes. The content is untrusted: at most 4 KB, 5 s, no redirect. Throws when the DNS resolver
 * does not answer.
 */
export async function readProof(deps: ProofDeps, place: ProofPlace, domain: string): Promise<Publication> {
  if (place === "dns") return { lines: (await deps.textRecords(domain)).map((line) => line.trim()) };
  try {
    const response = await deps.outbound(proofUrl(domain), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) {
      await response.body?.cancel();
      return { problem: `${proofUrl(domain)} answered ${response.status}.` };
    }
    const body = await readText(response, MAX_PROOF_BYTES);
    if ("refusal" in body) return { problem: `${proofUrl(domain)} has more than ${MAX_PROOF_BYTES} bytes.` };
    return { lines: body.text.split(/\r?\n/).map((line) => line.trim()) };
  } catch (error) {
    if (error instanceof OutboundRefused)
      return { problem: `${proofUrl(domain)} is not an allowed address, or it redirects.` };
    if (error instanceof ResolverUnavailable) throw error;
    return { problem: `${proofUrl(domain)} did not answer.` };
  }
}

const RECORD = /^v=MCPv1;\s*k=(ed25519|ecdsap384);\s*p=([A-Za-z0-9+/]{43,68}={0,2})\s*(?:;.*)?$/;
const KEY_BYTES = { ed25519: 32, ecdsap384: 49 } as const;

/** The keys in a domain's lines. Lines that are not key records are skipped. */
export function domainKeys(lines: readonly string[]): DomainKey[] {
  const keys = lines.flatMap((line): DomainKey[] => {
    const [, algorithm, publicKey] = RECORD.exec(line) ?? [];
    if ((algorithm !== "ed25519" && algorithm !== "ecdsap384") || publicKey === undefined) return [];
    return bytesOfBase64(publicKey)?.length === KEY_BYTES[algorithm] ? [{ algorithm, publicKey }] : [];
  });
  return keys.slice(0, MAX_KEYS);
}

/** Keys in the form in which they are stored with a namespace; null for an empty list. */
export const keysAsProof = (keys: readonly DomainKey[]): string | null =>
  keys.length === 0 ? null : keys.map(({ algorithm, publicKey }) => `k=${algorithm}; p=${publicKey}`).join("\n");

/** The inverse of {@link keysAsProof}. */
export const keysOfProof = (proof: string | null): DomainKey[] =>
  domainKeys((proof ?? "").split("\n").map((line) => `v=MCPv1; ${line}`));

const PREFIX = "mcp-gateway-claim=";

/**
 * The text that a tenant publishes to prove a namespace. A key record alone would not be enough: it names no tenant, so
 * whoever read it first could take another tenant's namespace. The text is derived from tenant and namespace, so
 * nothing is stored while a proof is pending.
 */
export const challengeText = async (secrets: readonly string[], tenantId: string, namespace: string): Promise<string> =>
  `${PREFIX}${await mark(secrets, "namespace", [tenantId, namespace])}`;

/** Whether one of the lines is the challenge text of this tenant, under any of the secrets. */
export async function hasChallenge(
  secrets: readonly string[],
  lines: readonly string[],
  { tenantId, namespace }: { tenantId: string; namespace: string },
): Promise<boolean> {
  const marks = lines.filter((line) => line.startsWith(PREFIX)).map((line) => line.slice(PREFIX.length));
  return hasMark(secrets, "namespace", [tenantId, namespace], marks);
}

/**
 * The first of the keys that verifies the signature of the message. `signature` is hexadecimal, as publishing tools
 * send it.
 */
export async function signerOf(
  keys: readonly DomainKey[],
  message: string,
  signature: string,
): Promise<DomainKey | undefined> {
  const bytes = bytesOfHex(signature);
  if (bytes === undefined) return undefined;
  for (const key of keys) if (await verifies(key, new TextEncoder().encode(message), bytes)) return key;
  return undefined;
}

async function verifies({ algorithm, publicKey }: DomainKey, message: Uint8Array, signature: Uint8Array) {
  const raw = bytesOfBase64(publicKey);
  if (raw?.length !== KEY_BYTES[algorithm]) return false;
  try {
    if (algorithm === "ed25519") {
      const key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
      return await crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
    }
    // A compressed point (SEC 1 §2.3.3). Web Crypto checks and expands it.
    const key = await crypto.subtle.importKey("raw", raw, { name: "ECDSA", namedCurve: "P-384" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-384" }, key, signature, message);
  } catch {
    return false;
  }
}

function bytesOfHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > 1024 || text.length % 2 !== 0 || !/^[0-9a-f]+$/i.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
