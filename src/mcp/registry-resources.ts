import { ProtocolError, type Result } from "@modelcontextprotocol/server";
import type { ToolRegistry } from "../upstreams/builtin/tool.ts";
import { AppError } from "../platform/errors.ts";
import { JSON_RPC } from "../platform/json-rpc.ts";

/** `registry://servers/{name}/{version}`; name and version are one encoded segment each. */
const FORM = /^registry:\/\/servers\/([^/]{1,1000})\/([^/]{1,1000})$/;
const MIME_TYPE = "application/json";

const resourceUri = (name: string, version: string) =>
  `registry://servers/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;

/**
 * The tenant's registry as MCP resources (server/resources). Each server's latest version, with all that the registry
 * has about it.
 */
export function registryResources(registry: ToolRegistry, tenantId: string) {
  return {
    list: async (params: Record<string, unknown>): Promise<Result> => {
      const { cursor } = params;
      const page = await registry
        .list(tenantId, typeof cursor === "string" ? cursor : undefined)
        .catch((error: unknown) => {
          throw error instanceof AppError ? new ProtocolError(JSON_RPC.invalidParams, error.message) : error;
        });
      const resources = page.servers.map(({ name, title, description }) => ({
        uri: resourceUri(name, "latest"),
        name,
        ...(title !== null && { title }),
        description,
        mimeType: MIME_TYPE,
      }));
      return { resources, ...(page.nextCursor !== null && { nextCursor: page.nextCursor }) };
    },
    templates: (): Result => ({
      resourceTemplates: [
        {
          uriTemplate: "registry://servers/{name}/{version}",
          name: "server",
          title: "A version of an MCP server",
          description: "The registry's entry. Name and version are percent-encoded; the version may be latest.",
          mimeType: MIME_TYPE,
        },
      ],
    }),
    read: async (params: Record<string, unknown>): Promise<Result> => {
      const uri = String(params["uri"]);
      const [name, version] = segmentsOf(uri);
      const found = name === undefined || version === undefined ? null : await registry.find(tenantId, name, version);
      if (!found) {
        throw new ProtocolError(JSON_RPC.invalidParams, `Unknown resource: ${uri.slice(0, 256)}`, {
          code: "unknown_resource",
        });
      }
      return { contents: [{ uri, mimeType: MIME_TYPE, text: JSON.stringify(found) }] };
    },
  };
}

function segmentsOf(uri: string): (string | undefined)[] {
  try {
    return (FORM.exec(uri) ?? []).slice(1).map(decodeURIComponent);
  } catch {
    return [];
  }
}
