import { describe, expect, it } from "vitest";
import { takeTry } from "../../../src/accounts/password-tries.ts";
import { countTry, forgetTries, wholeNumbers, type TryDeps } from "../../../src/limits/tries.ts";
import { takeUserCodeTry, USER_CODE_TRIES } from "../../../src/grants/device/user-code-tries.ts";
import { mayRegister } from "../../../src/grants/clients/clients.ts";
import { RedisUnavailable } from "../../../src/platform/redis/script.ts";

const NOW = 1_700_000_000_000;
const down = () => Promise.reject(new RedisUnavailable("down"));

/** Stores of which Redis answers as told, and Postgres counts what it is asked, or fails. */
function stores(redis: () => Promise<unknown>, postgres: "counts" | "fails" = "counts", count = 0) {
  const state = { count, asked: 0 };
  const deps = {
    redis: { eval: redis, del: redis },
    db: {
      execute: async () => {
        state.asked++;
        if (postgres === "fails") throw new Error("Postgres is down");
        state.count++;
        return { rows: [{ count: state.count, left: 42 }] };
      },
    },
  } as unknown as TryDeps;
  return { deps, state };
}

/** What no script of ours answers. */
const GARBAGE = [null, undefined, "", "OK", "1e3x", NaN, 1.5, {}, [], [null, null], ["x", 5], [0, 5], [-1, 5], [3]];

describe("a count of tries", () => {
  it("is that of Redis while Redis counts, and Postgres is not asked", async () => {
    const { deps, state } = stores(async () => [3, 17]);
    expect(await countTry(deps, "key", 60)).toEqual({ count: 3, secondsLeft: 17 });
    expect(await countTry(stores(async () => ["4", "0"]).deps, "key", 60)).toEqual({ count: 4, secondsLeft: 1 });
    expect(state.asked).toBe(0);
  });

  it("M06: is that of Postgres while Redis does not answer", async () => {
    const { deps } = stores(down);
    expect(await countTry(deps, "key", 60)).toEqual({ count: 1, secondsLeft: 42 });
    expect(await countTry(deps, "key", 60)).toEqual({ count: 2, secondsLeft: 42 });
  });

  it.each(GARBAGE)("M06: is that of Postgres when Redis answers %j", async (answer) => {
    const { deps, state } = stores(async () => answer);
    expect((await countTry(deps, "key", 60)).count).toBe(1);
    expect(state.asked).toBe(1);
  });

  it("M06: is nobody's when both fail: then nothing may be tried", async () => {
    const { deps } = stores(down, "fails");
    const tries = [
      countTry(deps, "key", 60),
      takeTry(deps, "bucket", NOW),
      takeUserCodeTry(deps, "user"),
      mayRegister(deps, NOW),
      forgetTries(deps, "key"),
    ];
    for (const result of await Promise.allSettled(tries)) expect(result.status).toBe("rejected");
  });

  it("does not hide a mistake of ours behind Postgres", async () => {
    const { deps, state } = stores(() => Promise.reject(new TypeError("a mistake")));
    await expect(countTry(deps, "key", 60)).rejects.toThrow("a mistake");
    expect(state.asked).toBe(0);
  });
});

describe("while Postgres counts", () => {
  it("M06: I03: five passwords of an account may be tried in a window, and the sixth waits for its end", async () => {
    const { deps } = stores(down);
    const waits = [];
    for (let time = 0; time < 6; time++) waits.push(await takeTry(deps, "bucket", NOW));
    expect(waits).toEqual([0, 0, 0, 0, 0, 42]);
  });

  it.each(GARBAGE.filter((answer) => !Array.isArray(answer)))(
    "M06: I03: an answer of Redis that is no wait lets nobody guess: %j",
    async (answer) => {
      const { deps, state } = stores(async () => answer, "counts", 5);
      expect(await takeTry(deps, "bucket", NOW)).toBe(42);
      expect(state.asked).toBe(1);
    },
  );

  it.each([
    ["user codes of a person", USER_CODE_TRIES, async (deps: TryDeps) => (await takeUserCodeTry(deps, "user")) === 0],
    ["registrations of strangers", 5_000, (deps: TryDeps) => mayRegister(deps, NOW)],
  ])("M06: the limit of %s is the same", async (_what, limit, may) => {
    expect(await may(stores(down, "counts", limit - 1).deps)).toBe(true);
    expect(await may(stores(down, "counts", limit).deps)).toBe(false);
  });
});

describe("the whole numbers of an answer", () => {
  it.each([
    [5, [5]],
    ["5", [5]],
    [
      [1, "2"],
      [1, 2],
    ],
    [[1, null], []],
    ["", []],
    [Number.MAX_VALUE, []],
  ])("of %j are %j", (answer, numbers) => {
    expect(wholeNumbers(answer)).toEqual(numbers);
  });
});
