import { describe, expect, it } from "vitest";
import { unauthenticated } from "../../../../src/audit/event.ts";
import { oauthError } from "../../../../src/oauth/answers.ts";
import { redeem, type RedeemDeps } from "../../../../src/oauth/token/redeem.ts";

const CODE = "a".repeat(32);
const VALUE = JSON.stringify({ expiresAt: new Date(Date.now() + 60_000).toISOString() });
const BY = { actor: unauthenticated({ requestId: "r", ip: null, userAgent: null }), now: 0 };

/** A Redis that has one code, and does what the scripts for codes do. */
function oneCode() {
  const kept = { value: VALUE as string | undefined, isHeld: false };
  const redis = {
    eval: async (script: string) => {
      if (script.includes("'NX'")) return Object.assign(kept, { value: VALUE, isHeld: false });
      if (kept.value === undefined) return [kept.isHeld ? "redeeming" : "unknown"];
      Object.assign(kept, { value: undefined, isHeld: true });
      return ["taken", VALUE];
    },
    del: async () => void (kept.isHeld = false),
  };
  return { kept, deps: { redis } as unknown as RedeemDeps };
}

describe("a code whose redemption is refused", () => {
  it.each<[error: string, status: number, isKept: boolean]>([
    ["invalid_client", 401, true],
    ["unauthorized_client", 400, true],
    ["invalid_request", 400, true],
    ["invalid_target", 400, true],
    ["temporarily_unavailable", 429, true],
    ["temporarily_unavailable", 503, true],
    ["server_error", 500, true],
    ["invalid_grant", 400, false],
    ["invalid_scope", 400, false],
    ["invalid_dpop_proof", 400, false],
  ])("with %s (%i) is there for another try: %s", async (error, status, isKept) => {
    const { kept, deps } = oneCode();
    const answer = await redeem(deps, CODE, BY, async () => oauthError(status, error, "No."));
    expect([answer.status, (await answer.json<{ error: string }>()).error]).toEqual([status, error]);
    expect(kept).toEqual({ value: isKept ? VALUE : undefined, isHeld: false });
  });

  it("is there for another try when the exchange fails", async () => {
    const { kept, deps } = oneCode();
    await expect(redeem(deps, CODE, BY, () => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    expect(kept).toEqual({ value: VALUE, isHeld: false });
  });
});
