import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod/v4";

/** The MCP server that each alternative puts behind its own check: one tool, made with the SDK as its documentation does. */
export const echo = createMcpHandler(() => {
  const server = new McpServer({ name: "bench", version: "1.0.0" });
  server.registerTool(
    "echo",
    { description: "Returns the text that it is given.", inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: "text", text }] }),
  );
  return server;
});

/** What a caller gets who may not call. */
export const refused = (status: 401 | 429): Response => new Response(null, { status });
