import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import packageJson from "../../../package.json" with { type: "json" };
import { createWorker } from "../../../src/worker.ts";
import { request, resetStats, stats, withFault } from "../../support/gateway.ts";

describe("health", () => {
  it("R14: answers liveness without any I/O", async () => {
    await resetStats();
    const answer = await request("/healthz");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: "ok" });
    expect(await stats()).toMatchObject({ sqlRequests: 0, redisRequests: 0 });
  });

  it("R14: is ready when Postgres, Redis and the schema are right", async () => {
    const answer = await request("/readyz");
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ status: "ok", checks: { postgres: "ok", redis: "ok", schema: "ok" } });
  });

  it.each([
    ["neon", { postgres: "failed", redis: "ok", schema: "failed" }],
    ["upstash", { postgres: "ok", redis: "failed", schema: "ok" }],
  ])("R14: is not ready while %s is down, and says which part failed", async (part, checks) => {
    await withFault({ [part]: { mode: "down" } }, async () => {
      const answer = await request("/readyz");
      expect(answer.status).toBe(503);
      expect(await answer.json()).toEqual({ status: "failed", checks });
    });
  });

  it("tells its version", async () => {
    const answer = await request("/version");
    expect(await answer.json()).toMatchObject({ name: "mcp-registry-gateway", version: packageJson.version });
  });

  it("answers unknown addresses and methods with problem details and a request id", async () => {
    const missing = await request("/nothing-here");
    expect(missing.status).toBe(404);
    expect(missing.headers.get("content-type")).toBe("application/problem+json");
    expect(await missing.json()).toMatchObject({ code: "not_found", requestId: missing.headers.get("x-request-id") });
    const wrongMethod = await request("/healthz", { method: "DELETE" });
    expect(wrongMethod.status).toBe(405);
    expect(wrongMethod.headers.get("allow")).toBe("GET");
  });
});

describe("configuration", () => {
  it.each(["/healthz", "/mcp", "/", "/.well-known/oauth-authorization-server", "/api/v1/audit"])(
    "R3: answers %s with 503 while a setting is wrong, and logs its name but not its value",
    async (path) => {
      const lines: string[] = [];
      const worker = createWorker((level, event, fields) => lines.push(JSON.stringify({ level, event, ...fields })));
      const settings = { ...env, BETTER_AUTH_SECRETS: "hunter2-hunter2" };
      const answer = await worker.fetch(
        new Request(`http://localhost:8787${path}`),
        settings,
        createExecutionContext(),
      );
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ code: "not_configured" });
      expect(lines.join()).toContain("BETTER_AUTH_SECRETS");
      expect(lines.join()).not.toContain("hunter2");
    },
  );
});
