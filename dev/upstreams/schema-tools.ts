import { fromJsonSchema, type JsonSchemaType, type McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import contactSchema from "./contact.schema.json" with { type: "json" };
import { structured, text } from "./tool-results.ts";

/** Tools whose input schema is the point: JSON Schema 2020-12 keywords, and a parameter mirrored into a header. */
export function registerSchemaTools(server: McpServer): void {
  server.registerTool(
    "json_schema_2020_12_tool",
    {
      title: "Contact",
      description: "Takes a contact described with $defs, $anchor, allOf, anyOf, if, then and else, and returns it.",
      inputSchema: fromJsonSchema<Record<string, unknown>>(contactSchema as JsonSchemaType),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (contact) => text(JSON.stringify(contact)),
  );

  server.registerTool(
    "test_x_mcp_header",
    {
      title: "Mirrored parameter",
      description: "Its region must also arrive in the header Mcp-Param-Region (2026-07-28).",
      inputSchema: z.object({ region: z.string().optional().meta({ "x-mcp-header": "Region" }) }),
      outputSchema: z.object({ region: z.string().nullable(), header: z.string().nullable() }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ region }, ctx) =>
      structured({ region: region ?? null, header: ctx.http?.req?.headers.get("mcp-param-region") ?? null }),
  );
}
