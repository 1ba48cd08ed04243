import { describe, expect, it } from "vitest";
import { takeDecision, giveBackDecision } from "../../../src/grants/decision.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import type { Redis } from "../../../src/platform/redis/redis.ts";

/** Redis as far as a claim needs it; what was set is kept with its options. */
function redis() {
  const set: [string, string, object][] = [];
  const keys = new Map<string, string>();
  const store = {
    set: async (key: string, value: string, options: object) => {
      set.push([key, value, options]);
      if (keys.has(key)) return null;
      keys.set(key, value);
      return "OK";
    },
    del: async (key: string) => Number(keys.delete(key)),
    eval: async (_script: string, [key = ""]: string[], [claim]: string[]) =>
      keys.get(key) === claim ? Number(keys.delete(key)) : 0,
  } as unknown as Pick<Redis, "set" | "del" | "eval">;
  /** The same store, whose answers to `set` get lost. */
  const deaf = {
    ...store,
    set: async (...command: Parameters<Redis["set"]>) => {
      await store.set(...command);
      throw new Error("lost");
    },
  } as typeof store;
  return { store, set, deaf };
}

const NOW = 1_700_000_000_000;
const request = { signature: "signature=", expiry: NOW / 1000 + 300 };

describe("the decision of a consent request", () => {
  it("B10: is taken once, by whoever comes first, for as long as the signature is good", async () => {
    const { store, set } = redis();
    expect(await takeDecision(store, request, NOW)).toBe(true);
    expect(await takeDecision(store, request, NOW)).toBe(false);
    const key = `mrg1:decided:${await sha256("signature=")}`;
    expect(set[0]).toEqual([key, expect.any(String), { nx: true, ex: 360 }]);
  });

  it("is another one for another request", async () => {
    const { store } = redis();
    await takeDecision(store, request, NOW);
    expect(await takeDecision(store, { ...request, signature: "other" }, NOW)).toBe(true);
  });

  it("can be taken again when it was given back", async () => {
    const { store } = redis();
    await takeDecision(store, request, NOW);
    await giveBackDecision(store, request.signature);
    expect(await takeDecision(store, request, NOW)).toBe(true);
  });

  it("can be taken again when the answer to the first try was lost, and then by one", async () => {
    const { store, deaf } = redis();
    await expect(takeDecision(deaf, request, NOW)).rejects.toThrow("lost");
    expect(await takeDecision(store, request, NOW)).toBe(true);
    await expect(takeDecision(deaf, request, NOW)).rejects.toThrow("lost");
    expect(await takeDecision(store, request, NOW)).toBe(false);
  });

  it("is remembered for a while even when the clocks of two isolates differ", async () => {
    const { store, set } = redis();
    await takeDecision(store, request, NOW + 400_000);
    expect(set[0]?.[2]).toEqual({ nx: true, ex: 60 });
  });
});
