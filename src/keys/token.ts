// The form of our API keys: `mrg_` + `live_`|`test_` + 43 base62 characters of randomness + 6 base62 characters of
// CRC-32.
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const FORM = new RegExp(`^mrg_(live|test)_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** How many leading characters of a key may be shown and stored: the type and the first four random ones. */
export const KEY_START_LENGTH = "mrg_live_".length + 4;

/**
 * A new key with 256 bits of randomness. The checksum at its end lets anyone detect a mistyped key without asking us.
 */
export function generateApiKey(kind: "live" | "test" = "live"): string {
  const body = `mrg_${kind}_${randomBase62(SECRET_LENGTH)}`;
  return body + checksum(body);
}

/** Whether a text has the prefix of our keys. Such a text is refused without I/O when {@link isApiKey} is false. */
export const looksLikeApiKey = (text: string) => text.startsWith("mrg_");

/** Whether form and checksum are right. Does not say whether the key exists. */
export function isApiKey(text: string): boolean {
  if (!FORM.test(text)) return false;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === text.slice(-CHECKSUM_LENGTH);
}

function checksum(text: string): string {
  let value = crc32(text);
  let digits = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    digits = BASE62.charAt(value % 62) + digits;
    value = Math.floor(value / 62);
  }
  return digits;
}

/** CRC-32 of ASCII text (ISO 3309, polynomial 0xEDB88320), unsigned. */
export function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Uniform over base62: bytes from 248 (4 × 62) up are discarded and drawn again. */
function randomBase62(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < 248 && text.length < length) text += BASE62.charAt(byte % 62);
    }
  }
  return text;
}
