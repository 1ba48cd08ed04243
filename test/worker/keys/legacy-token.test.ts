import { describe, expect, it } from "vitest";
import { createHash } from "node:crypto";
import { apiToken } from "../../../src/keys/schema.ts";
import { verifyLegacyToken } from "../../../src/keys/legacy/legacy.ts";
import { db, newKey, newUser } from "../../support/gateway.ts";

const HOUR = 3_600_000;

/** A token of the retired registry with its row. */
async function newToken(fields: { expiresAt?: Date; revokedAt?: Date } = {}) {
  const { id: userId } = await newUser();
  const [id, token] = [crypto.randomUUID(), `registry-${crypto.randomUUID()}`];
  const tokenHash = createHash("sha256").update(token).digest("hex");
  await db.insert(apiToken).values({ id, userId, name: "CI", tokenHash, scopes: ["publish"], ...fields });
  return { id, userId, token, tokenHash };
}

describe("a token of the retired registry", () => {
  it("R19: is known by its hash, with its owner and its scopes", async () => {
    const { id, userId, token } = await newToken({ expiresAt: new Date(Date.now() + HOUR) });
    expect(await verifyLegacyToken(db, token, Date.now())).toEqual({ userId, tokenId: id, scopes: ["publish"] });
  });

  it("R19: is good no more when it has expired or is revoked", async () => {
    const now = Date.now();
    const [expired, revoked] = [
      await newToken({ expiresAt: new Date(now) }),
      await newToken({ revokedAt: new Date(now) }),
    ];
    expect(await verifyLegacyToken(db, expired.token, now - 1)).toMatchObject({ tokenId: expired.id });
    expect(await verifyLegacyToken(db, expired.token, now)).toBeNull();
    expect(await verifyLegacyToken(db, revoked.token, now)).toBeNull();
  });

  it("R19: is nothing else: no other text, no hash, and no API key", async () => {
    const { tokenHash, id, token } = await newToken();
    const { key } = await newKey();
    for (const text of ["", tokenHash, id, key, `${token} `, token.toUpperCase(), "x".repeat(10_000)]) {
      expect(await verifyLegacyToken(db, text, Date.now())).toBeNull();
    }
  });
});
