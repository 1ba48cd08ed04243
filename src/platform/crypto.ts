import { base64url } from "jose";

const encoder = new TextEncoder();

/**
 * SHA-256 of UTF-8 text as unpadded base64url (43 characters): the form in which Better Auth stores API keys and
 * tokens.
 */
export async function sha256(text: string): Promise<string> {
  return base64url.encode(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}

/** HMAC-SHA-256 of UTF-8 text: 32 bytes. */
export async function hmac(secret: string, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
}

/** Compares two texts in a time that does not depend on where they differ. */
export function equalsInConstantTime(a: string, b: string): boolean {
  const left = encoder.encode(a);
  const right = encoder.encode(b);
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= Number(left[i]) ^ (right[i] ?? 0);
  return difference === 0;
}

/** `size` random bytes as base64url. */
export function randomToken(size: number): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(size)));
}

/**
 * UUID version 7 (RFC 9562 §5.7): sorts by creation time, so that time-ordered tables append. `now` is epoch
 * milliseconds.
 */
export function uuidv7(now: number = Date.now()): string {
  const random = crypto.randomUUID();
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(15)}`;
}
