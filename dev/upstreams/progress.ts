import type { ServerContext } from "@modelcontextprotocol/server";

/** Sends `notifications/progress` for the current request, or nothing when its sender gave no progress token. */
export async function reportProgress(ctx: ServerContext, progress: number, total: number): Promise<void> {
  const { _meta: meta } = ctx.mcpReq;
  const progressToken = meta?.progressToken;
  if (progressToken === undefined) return;
  await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } });
}
