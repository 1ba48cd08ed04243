import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isHashOf } from "../../../../src/keys/legacy/adoption.ts";

const KEY = "enhanced_key_ü_1234567890";
const SALT = "00ff10a0b1c2d3e4";

const hashes = {
  sha256: (salt: Buffer | string) => createHash("sha256").update(salt).update(KEY).digest("hex"),
  "hmac-sha256": (salt: Buffer | string) => createHmac("sha256", salt).update(KEY).digest("hex"),
};

describe.each(["sha256", "hmac-sha256"] as const)("a salted hash by %s", (hashAlgo) => {
  const row = (salt: string, keyHash: string) => ({ id: "1", salt, hashAlgo, keyHash });

  it.each([
    ["the salt's bytes", SALT, hashes[hashAlgo](Buffer.from(SALT, "hex"))],
    ["the salt's letters", SALT, hashes[hashAlgo](SALT)],
    ["a salt that is not hexadecimal", "pepper", hashes[hashAlgo]("pepper")],
    ["a salt of an odd number of digits", "abc", hashes[hashAlgo]("abc")],
    ["an empty salt", "", hashes[hashAlgo]("")],
  ])("R5: is recognized from %s", async (_, salt, keyHash) => {
    expect(await isHashOf(row(salt, keyHash), KEY)).toBe(true);
    expect(await isHashOf(row(salt, keyHash), `${KEY}x`)).toBe(false);
    expect(await isHashOf(row(`${salt}01`, keyHash), KEY)).toBe(false);
  });

  it("is not recognized by the other algorithm, nor cut short", async () => {
    const other = hashAlgo === "sha256" ? "hmac-sha256" : "sha256";
    expect(await isHashOf(row(SALT, hashes[other](Buffer.from(SALT, "hex"))), KEY)).toBe(false);
    const keyHash = hashes[hashAlgo](SALT);
    for (const wrong of [
      "",
      keyHash.slice(0, 63),
      `${keyHash}0`,
      keyHash.replace(/.$/, (end) => (end === "0" ? "1" : "0")),
    ]) {
      expect(await isHashOf(row(SALT, wrong), KEY)).toBe(false);
    }
  });
});
