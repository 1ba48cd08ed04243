import { describe, expect, it } from "vitest";
import { callTool, newKey, resetStats, stats, withFault } from "../support/gateway.ts";

describe("round trips", () => {
  it("R9: a warm call with a key costs one Redis request, and no SQL before the answer", async () => {
    const { key } = await newKey();
    await callTool("echo", { text: "warm" }, { key });
    // With Postgres down nothing that is answered can have waited for it.
    await withFault({ neon: { mode: "down" } }, async () => {
      await resetStats();
      const answer = await callTool("echo", { text: "x" }, { key });
      expect(answer.result?.structuredContent).toEqual({ text: "x" });
      const { redisRequests, log } = await stats();
      expect(redisRequests).toBe(1);
      expect(log.filter(({ to }) => to === "upstash").map(({ what }) => what)).toEqual([["get"]]);
    });
  });

  it("a Redis request whose answer is lost is not sent again: it may have been carried out", async () => {
    const { key } = await newKey();
    await callTool("echo", { text: "warm" }, { key });
    await withFault({ upstash: { mode: "reset-after-commit" } }, async () => {
      await resetStats();
      expect((await callTool("echo", { text: "x" }, { key })).status).toBe(503);
      expect((await stats()).redisRequests).toBe(1);
    });
  });

  it("R9: the first call with a key costs one statement more, and one Redis request to remember it", async () => {
    const { key } = await newKey();
    await resetStats();
    await callTool("echo", { text: "cold" }, { key });
    const { log } = await stats();
    const statements = log.filter(({ to }) => to === "neon").flatMap(({ what }) => what);
    expect(statements.filter((what) => what.startsWith("select"))).toEqual(["select apikey"]);
    expect(log.filter(({ to }) => to === "upstash").map(({ what }) => what)).toEqual([["get"], ["set"]]);
  });
});
