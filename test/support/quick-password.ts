// Stands in for `@better-auth/utils/password` where tests hash passwords a thousand times over and what that costs is not their subject:
// the same format from one cheap round of scrypt. `npm start`, and so every test of the whole system, has the real one.
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";

const KEY_BYTES = 64;

const keyOf = (password: string, salt: string) =>
  scryptSync(password.normalize("NFKC"), salt, KEY_BYTES, { N: 2, r: 1, p: 1 });

/** `salt:key`, both hexadecimal. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16).toString("hex");
  return `${salt}:${keyOf(password, salt).toString("hex")}`;
}

/** Whether the password is the one of the hash. Throws for what is no hash, as the original does. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const [salt, key] = hash.split(":");
  if (!salt || !key) throw new Error("Invalid password hash");
  const expected = Buffer.from(key, "hex");
  return expected.length === KEY_BYTES && timingSafeEqual(expected, keyOf(password, salt));
}
