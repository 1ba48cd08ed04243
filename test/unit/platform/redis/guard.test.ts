import { describe, expect, it } from "vitest";
import { createBreaker } from "../../../../src/platform/redis/breaker.ts";
import { isUnavailable } from "../../../../src/platform/errors.ts";
import type { LogFields } from "../../../../src/platform/log.ts";
import { REDIS_BREAKER, redisGuard } from "../../../../src/platform/redis/guard.ts";
import { RedisUnavailable } from "../../../../src/platform/redis/script.ts";

/** A guard whose clock the test moves, with what it has logged. */
function newGuard() {
  const clock = { now: 1_700_000_000_000 };
  const lines: [string, LogFields | undefined][] = [];
  const guard = redisGuard(
    createBreaker(REDIS_BREAKER),
    (_level, event, fields) => lines.push([event, fields]),
    () => clock.now,
  );
  return { clock, lines, guard };
}

const named = (name: string, message: string) => Object.assign(new Error(message), { name });

describe("the guard in front of Redis", () => {
  it("hands answers on, whatever they are", async () => {
    const { guard, lines } = newGuard();
    expect([await guard(async () => null), await guard(async () => "x")]).toEqual([null, "x"]);
    expect(lines).toEqual([]);
  });

  it.each([
    named("UpstashError", 'ERR oops, command was: ["set","key","secret"]'),
    named("UpstashJSONParseError", "secret"),
    named("TimeoutError", "The operation was aborted due to timeout"),
    new TypeError("Network connection lost."),
  ])("says of every failure that Redis is unavailable, and shows nothing of the command: %s", async (failure) => {
    const { guard, lines } = newGuard();
    let thrown: unknown;
    try {
      await guard(async () => {
        throw failure;
      });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RedisUnavailable);
    expect(isUnavailable(thrown)).toBe(true);
    expect(lines).toMatchObject([["redis.fault", { error: failure.name }]]);
    expect(`${String(thrown)} ${JSON.stringify(lines)}`).not.toContain("secret");
  });

  it("M06: asks nothing more after five failures until ten seconds are over, and says so once", async () => {
    const { clock, guard, lines } = newGuard();
    let asked = 0;
    const ask = () => {
      asked++;
      return Promise.reject(new Error("down"));
    };
    for (let time = 0; time < 20; time++) await expect(guard(ask)).rejects.toBeInstanceOf(RedisUnavailable);
    expect(asked).toBe(5);
    expect(lines.filter(([event]) => event === "redis.given_up")).toEqual([["redis.given_up", { seconds: 10 }]]);
    expect(lines).toHaveLength(6);
    clock.now += 10_000;
    expect(await guard(async () => "back")).toBe("back");
    expect(await guard(async () => "and on")).toBe("and on");
  });
});
