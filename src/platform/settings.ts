// The value types of the settings in `config.ts`. Each parses one string, or says what is wrong with it.
import { z } from "zod";

const PLACEHOLDERS = /change.?me|placeholder|example|default|better-auth-secret|your.?secret|password|secret.?key/i;

/**
 * Shannon estimate of the information in a string, in bits: enough to distinguish random text from a pattern or a
 * phrase.
 */
export function estimatedBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count * Math.log2(count / text.length);
  return bits;
}

const HEX = /^[0-9a-f]{64,}$/i;
const BASE64 = /^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/_-]{43,}={0,2}$/;

/** Whether a text, from some point to the end, repeats its own beginning. */
function repeatsItself(text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    if (text.startsWith(text.slice(period))) return true;
  }
  return false;
}

/** Whether most characters follow the one before them, as in an alphabet. */
function isSequence(text: string): boolean {
  let steps = 0;
  for (let i = 1; i < text.length; i++) steps += Math.abs(text.charCodeAt(i) - text.charCodeAt(i - 1)) === 1 ? 1 : 0;
  return steps > text.length / 2;
}

/** Whether a text is at least 32 bytes in hex or base64 that look random: not a phrase, placeholder or pattern. */
const isSecret = (text: string) =>
  (HEX.test(text) || BASE64.test(text)) &&
  !PLACEHOLDERS.test(text) &&
  !repeatsItself(text) &&
  !isSequence(text) &&
  estimatedBits(text) >= 160;

/** Comma-separated values, trimmed, without empty ones. */
export const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

/** A whole number as text, within bounds. */
export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

export const flag = z.enum(["true", "false"]).transform((text) => text === "true");

export const secrets = list
  .refine((items) => items.length > 0, "must hold at least one secret")
  .refine(
    (items) => items.every(isSecret),
    "each secret must be at least 32 random bytes (43 base64 or 64 hex characters), not a phrase or a placeholder",
  );

const SEALING_KEY = /^([a-z0-9]{1,16}):([A-Za-z0-9+/]{43}=)$/;

/** `id:base64` pairs of AES-256 keys. */
export const sealingKeys = list
  .refine((items) => items.length > 0, "must hold at least one key")
  .refine((items) => items.every((item) => SEALING_KEY.test(item)), "each key must be id:base64 of 32 bytes")
  .refine(
    (items) => items.every((item) => estimatedBits(item.slice(item.indexOf(":") + 1)) >= 120),
    "each key must be 32 random bytes (openssl rand -base64 32)",
  )
  .refine((items) => new Set(items.map((item) => item.split(":")[0])).size === items.length, "key ids must differ")
  .transform((items) =>
    items.map((item) => ({ id: item.slice(0, item.indexOf(":")), key: item.slice(item.indexOf(":") + 1) })),
  );

export const postgresUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.username !== "" && url.pathname.length > 1;
}, "must be postgresql://user:password@host/database");

export const httpUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "https:" || url.protocol === "http:");
}, "must be an http(s) URL");

/**
 * An origin: scheme and host, no path. The result has no trailing slash, as issuer and resource identifiers require.
 */
export const origin = httpUrl
  .refine((text) => !text.includes("*"), "must be one origin, without wildcards")
  .refine(
    (text) => URL.parse(text)?.origin === text.replace(/\/$/, ""),
    "must be an origin: no path, query or fragment",
  )
  .transform((text) => new URL(text).origin);

export const isLoopback = (url: string) => /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(url).hostname);

/** A path on this origin, safe as a redirect target. */
export const localPath = z.string().regex(/^\/(?![/\\])[A-Za-z0-9/_-]*$/, "must be a path such as /sign-in");

const HOSTNAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/;

export type SignUpPolicy = { kind: "open" } | { kind: "invite" } | { kind: "domains"; domains: readonly string[] };

/** `open`, `invite`, or `domains:a.example,b.example`. */
export const signUpPolicy = z.string().transform((text, context): SignUpPolicy => {
  if (text === "open" || text === "invite") return { kind: text };
  const domains = hostsAfter("domains:", text);
  if (domains) return { kind: "domains", domains };
  context.addIssue("must be open, invite or domains:example.com,…");
  return z.NEVER;
});

export type RegistrationPolicy = { kind: "open" } | { kind: "off" } | { kind: "hosts"; hosts: readonly string[] };

/** `open`, `off`, or `hosts:a.example,b.example`. */
export const registrationPolicy = z.string().transform((text, context): RegistrationPolicy => {
  if (text === "open" || text === "off") return { kind: text };
  const hosts = hostsAfter("hosts:", text);
  if (hosts) return { kind: "hosts", hosts };
  context.addIssue("must be open, off or hosts:example.com,…");
  return z.NEVER;
});

function hostsAfter(prefix: string, text: string): string[] | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const hosts = list.parse(text.slice(prefix.length)).map((host) => host.toLowerCase());
  return hosts.length > 0 && hosts.every((host) => HOSTNAME.test(host)) ? hosts : undefined;
}
