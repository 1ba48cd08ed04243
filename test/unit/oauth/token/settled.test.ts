import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { settled } from "../../../../src/oauth/token/settled.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Asks for answers in turn; the last one stays. */
async function after(answers: readonly string[]): Promise<{ answer: string; hasWaited: boolean; asked: number }> {
  let asked = 0;
  const ask = async () => answers[Math.min(asked++, answers.length - 1)] ?? "";
  const result = settled(ask, (answer) => answer === "pending");
  await vi.runAllTimersAsync();
  return { ...(await result), asked };
}

describe("waiting for another request", () => {
  it("asks once when nobody else is at work", async () => {
    expect(await after(["done"])).toEqual({ answer: "done", hasWaited: false, asked: 1 });
  });

  it("asks until the other is done", async () => {
    expect(await after(["pending", "pending", "done"])).toEqual({ answer: "done", hasWaited: true, asked: 3 });
  });

  it("gives up after a second", async () => {
    const begun = Date.now();
    expect(await after(["pending"])).toEqual({ answer: "pending", hasWaited: true, asked: 6 });
    expect(Date.now() - begun).toBe(1_000);
  });
});
