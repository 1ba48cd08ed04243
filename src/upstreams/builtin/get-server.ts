import * as z from "zod/v4";
import { builtinTool } from "./tool.ts";

/** Returns one server of the registry of the caller's tenant: its server.json, and its status in the registry. */
export const getServer = builtinTool({
  name: "get_server",
  title: "Get a server",
  description:
    "Returns a server of the registry by its name, such as com.example/weather: how to reach or run it, and its status. `found` is false when there is no such server.",
  scopes: ["mcp:tools"],
  input: z.object({
    name: z.string().max(200).describe("The name, with its slash"),
    version: z.string().min(1).max(255).default("latest").describe("A version, or latest"),
  }),
  output: z.object({
    found: z.boolean(),
    server: z.record(z.string(), z.unknown()).nullable().describe("Its server.json"),
    status: z.record(z.string(), z.unknown()).nullable().describe("The registry's metadata about this version"),
  }),
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  run: async ({ name, version }, { caller, registry }) => {
    const found = await registry.find(caller.tenantId, name, version);
    return { found: found !== null, server: found && { ...found.server }, status: found && { ...found.status } };
  },
});
