import { describe, expect, it } from "vitest";
import { claimDecision, releaseDecision } from "../../../src/grants/consent-claim.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import type { Redis } from "../../../src/platform/redis.ts";

/** Redis as far as a claim needs it; what was set is kept with its options. */
function redis() {
  const set: [string, string, object][] = [];
  const keys = new Set<string>();
  const store = {
    set: async (key: string, value: string, options: object) => {
      set.push([key, value, options]);
      if (keys.has(key)) return null;
      keys.add(key);
      return "OK";
    },
    del: async (key: string) => Number(keys.delete(key)),
  } as unknown as Pick<Redis, "set" | "del">;
  return { store, set };
}

const NOW = 1_700_000_000_000;
const request = { signature: "signature=", expiry: NOW / 1000 + 300 };

describe("the decision of a consent request", () => {
  it("B10: is taken once, by whoever comes first, for as long as the signature is good", async () => {
    const { store, set } = redis();
    expect(await claimDecision(store, request, NOW)).toBe(true);
    expect(await claimDecision(store, request, NOW)).toBe(false);
    expect(set[0]).toEqual([`mrg1:decided:${await sha256("signature=")}`, "1", { nx: true, ex: 360 }]);
  });

  it("is another one for another request", async () => {
    const { store } = redis();
    await claimDecision(store, request, NOW);
    expect(await claimDecision(store, { ...request, signature: "other" }, NOW)).toBe(true);
  });

  it("can be taken again when it was given back", async () => {
    const { store } = redis();
    await claimDecision(store, request, NOW);
    await releaseDecision(store, request.signature);
    expect(await claimDecision(store, request, NOW)).toBe(true);
  });

  it("is remembered for a while even when the clocks of two isolates differ", async () => {
    const { store, set } = redis();
    await claimDecision(store, request, NOW + 400_000);
    expect(set[0]?.[2]).toEqual({ nx: true, ex: 60 });
  });
});
