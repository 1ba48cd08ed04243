import { setTimeout as wait } from "node:timers/promises";
import type { McpServer, ServerContext } from "@modelcontextprotocol/server";
import { reportProgress } from "./progress.ts";
import { text } from "./tool-results.ts";

const pauseMs = 50;
const logMessages = ["Tool execution started", "Tool processing data", "Tool execution completed"];

/** Tools that send progress or log notifications before their result. */
export function registerNotificationTools(server: McpServer): void {
  server.registerTool(
    "test_tool_with_progress",
    { title: "Progress", description: "Reports progress 0, 50 and 100 of 100, then answers." },
    async (ctx) => {
      await reportProgress(ctx, 0, 100);
      await wait(pauseMs);
      await reportProgress(ctx, 50, 100);
      await wait(pauseMs);
      await reportProgress(ctx, 100, 100);
      return text("Reported progress up to 100 of 100.");
    },
  );

  for (const name of ["test_logging_tool", "test_tool_with_logging"]) {
    server.registerTool(
      name,
      {
        title: "Logging",
        description:
          "Sends three log messages of level info. A 2026-07-28 client gets them only if it sets a log level.",
      },
      async (ctx) => {
        await logWithPauses(ctx);
        return text(`Logged ${logMessages.length} messages.`);
      },
    );
  }
}

async function logWithPauses(ctx: ServerContext): Promise<void> {
  for (const [index, message] of logMessages.entries()) {
    if (index > 0) await wait(pauseMs);
    await ctx.mcpReq.log("info", message);
  }
}
