import { equalsInConstantTime, hmac } from "../platform/crypto.ts";

/** Better Auth's signed cookies: `{value}.{HMAC-SHA-256 in base64}`, URL-encoded. */
const SIGNED = /^((?:__Secure-|__Host-)?mrg\.[\w-]+)=(.+)$/;
const VALUE = /^(.+)\.([A-Za-z0-9+/]{43}=)$/;

/**
 * The Cookie header with cookies signed by an older secret signed again by the newest one. Better Auth knows only the
 * newest, so this keeps people signed in while a secret is being replaced. With one secret, returns the header
 * unchanged.
 */
export async function rotatedCookies(header: string, secrets: readonly string[]): Promise<string> {
  const [newest, ...older] = secrets;
  if (newest === undefined || older.length === 0) return header;
  return (await Promise.all(header.split("; ").map((pair) => rotated(pair, newest, older)))).join("; ");
}

async function rotated(pair: string, newest: string, older: readonly string[]): Promise<string> {
  const [, name = "", encoded = ""] = SIGNED.exec(pair) ?? [];
  const [, value, given] = VALUE.exec(decoded(encoded)) ?? [];
  if (value === undefined || given === undefined) return pair;
  const signed = await signature(newest, value);
  if (equalsInConstantTime(given, signed)) return pair;
  for (const secret of older) {
    if (equalsInConstantTime(given, await signature(secret, value)))
      return `${name}=${encodeURIComponent(`${value}.${signed}`)}`;
  }
  return pair;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** HMAC-SHA-256 in padded base64, as Better Auth signs cookies and queries. */
export async function signature(secret: string, text: string): Promise<string> {
  return btoa(String.fromCharCode(...(await hmac(secret, text))));
}
