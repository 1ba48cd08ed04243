import * as z from "zod/v4";
import { builtinTool } from "./tool.ts";

/** Returns the text that it is given: the shortest proof that a client is connected. */
export const echo = builtinTool({
  name: "echo",
  title: "Echo",
  description: "Returns the text that it is given. Use it to check the connection.",
  scopes: ["mcp:tools"],
  input: z.object({ text: z.string().max(10_000).describe("The text to return") }),
  output: z.object({ text: z.string() }),
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  run: ({ text }) => ({ text }),
});
