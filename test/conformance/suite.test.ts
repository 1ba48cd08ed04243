import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { command } from "../support/command.ts";
import { headerProxy } from "../support/header-proxy.ts";

/**
 * Scenarios that fail because the upstream behind the gateway has no fixtures for them: it offers no tasks (an extension that the
 * SDK does not implement). A scenario that starts to pass must leave this list.
 */
const WITHOUT_FIXTURES = [
  "tasks-capability-negotiation",
  "tasks-dispatch-and-envelope",
  "tasks-lifecycle",
  "tasks-mrtr-composition",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-request-state-removal",
  "tasks-required-task-error",
  "tasks-wire-fields",
];
const SUMMARY_LINE = /^([✓✗]) ([a-z0-9-]+): (\d+) passed, (\d+) failed/gm;

describe("the official conformance suite", () => {
  it("passes every scenario of 2026-07-28 through the gateway, except those without fixtures", async () => {
    const system = inject("system");
    const proxy = await headerProxy(system.url, { "x-api-key": system.apiKey });
    const results = mkdtempSync(join(tmpdir(), "gateway-conformance-"));
    try {
      const url = `${proxy.url}/mcp/everything`;
      const run = await command("conformance", ["server", "--url", url, "--requirements", "2026-07-28", "-o", results]);
      const scenarios = [...run.stdout.matchAll(SUMMARY_LINE)].map(([, mark, name]) => ({
        name,
        passed: mark === "✓",
      }));
      const failed = scenarios.filter(({ passed }) => !passed).map(({ name }) => name);
      expect(failed.map(String).toSorted()).toEqual(WITHOUT_FIXTURES);
      expect(scenarios.length).toBeGreaterThanOrEqual(50);
      expect(run.code).toBe(0);
    } finally {
      await proxy.stop();
      rmSync(results, { recursive: true, force: true });
    }
  });
});
