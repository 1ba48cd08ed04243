import { setTimeout as wait } from "node:timers/promises";
import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { EverythingState, SlowOutcome } from "./everything-state.ts";
import { reportProgress } from "./progress.ts";
import { failure, structured, text } from "./tool-results.ts";

const longestWaitMs = 60_000;

/** The tools a person tries first: `add`, `echo`, `echo_headers`, `fail`, `slow` and `slow_outcome`. */
export function registerEverydayTools(server: McpServer, state: EverythingState): void {
  server.registerTool(
    "add",
    {
      title: "Add two numbers",
      description: "Returns the sum of a and b as structured output.",
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ a, b }) => structured({ sum: a + b }, `${a} + ${b} = ${a + b}`),
  );

  server.registerTool(
    "echo",
    {
      title: "Echo",
      description: "Returns the text it was given.",
      inputSchema: z.object({ text: z.string() }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (input) => text(input.text),
  );

  server.registerTool(
    "echo_headers",
    {
      title: "Echo HTTP headers",
      description:
        "Returns the names of the HTTP headers that reached this server, and whether a credential was among them. Values are never returned.",
      outputSchema: z.object({
        headerNames: z.array(z.string()).describe("Lower-case and sorted"),
        authorization: z.boolean().describe("Whether an Authorization header was present"),
        xApiKey: z.boolean().describe("Whether an X-API-Key header was present"),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (ctx) => {
      const headers = ctx.http?.req?.headers ?? new Headers();
      return structured({
        headerNames: [...headers.keys()].toSorted(),
        authorization: headers.has("authorization"),
        xApiKey: headers.has("x-api-key"),
      });
    },
  );

  server.registerTool(
    "fail",
    {
      title: "Fail",
      description: "Always answers with a tool error (isError).",
      inputSchema: z.object({ message: z.string().default("This tool always fails.") }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ message }) => failure(message),
  );

  server.registerTool(
    "slow",
    {
      title: "Wait",
      description: `Answers after the given time and stops early when the call is cancelled. Reports progress when it starts and when it is done.`,
      inputSchema: z.object({
        milliseconds: z.number().int().min(0).max(longestWaitMs),
        label: z.string().min(1).max(100).optional().describe("Lets slow_outcome tell how this call ended"),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async ({ milliseconds, label }, ctx) => {
      const outcome = waitUnlessCancelled(milliseconds, ctx.mcpReq.signal);
      if (label !== undefined) state.slowCalls.set(label, outcome);
      await reportProgress(ctx, 0, milliseconds);
      const ended = await outcome;
      if (ended === "cancelled") return failure("Cancelled.");
      await reportProgress(ctx, milliseconds, milliseconds);
      return text(`Waited ${milliseconds} ms.`);
    },
  );

  server.registerTool(
    "slow_outcome",
    {
      title: "Outcome of a slow call",
      description: "Waits until the slow call with this label has ended and tells whether it was cancelled.",
      inputSchema: z.object({ label: z.string() }),
      outputSchema: z.object({ outcome: z.enum(["completed", "cancelled"]) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async ({ label }) => {
      const outcome = state.slowCalls.get(label);
      if (outcome === undefined) return failure(`No slow call has the label "${label}". Call slow with it first.`);
      return structured({ outcome: await outcome });
    },
  );
}

async function waitUnlessCancelled(milliseconds: number, signal: AbortSignal): Promise<SlowOutcome> {
  try {
    await wait(milliseconds, undefined, { signal });
    return "completed";
  } catch {
    return "cancelled";
  }
}
