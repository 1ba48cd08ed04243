import type { CallToolResult } from "@modelcontextprotocol/server";

/** A result with one text block. */
export function text(value: string): CallToolResult {
  return { content: [{ type: "text", text: value }] };
}

/** A result with structured content and, for clients that only read text, the same as JSON or in the given words. */
export function structured(value: Record<string, unknown>, words = JSON.stringify(value)): CallToolResult {
  return { content: [{ type: "text", text: words }], structuredContent: value };
}

/** A tool error that the model gets to read, so it should say what to do next. */
export function failure(message: string): CallToolResult {
  return { isError: true, content: [{ type: "text", text: message }] };
}
