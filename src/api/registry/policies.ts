import * as z from "zod";
import { AppError } from "../../platform/errors.ts";
import { findPolicyView } from "../../registry/views/policy-view.ts";
import { route, type ApiDeps } from "../deps.ts";

const who = { scopes: ["mcp-registry:read"] } as const;
const PATH = "/api/v1/registry/policies";
const SECRET = "SECRET";

const query = z.strictObject({
  view: z.uuid("is not a valid view id").optional().describe("The id of a private view. Default: the public view."),
});
const common = {
  registryUrl: z.string().describe("The registry URL for the client."),
  notes: z.array(z.string()).describe("Steps to do by hand, and problems that would lock people out."),
};

/**
 * Settings and policies of VS Code (`chat.mcp.*`; policies since 1.101) that let it run the servers of this registry
 * and no others. The enterprise documentation is at https://code.visualstudio.com/docs/enterprise/policies.
 */
export const vscodePolicy = route({
  method: "get",
  path: `${PATH}/vscode`,
  id: "getVscodePolicy",
  tag: "Registry management",
  summary: "Get VS Code settings that allow only this gateway",
  who,
  in: { query },
  refusals: ["not_found"],
  out: z.object({
    ...common,
    settings: z.record(z.string(), z.unknown()).describe("Settings for settings.json. Users can change them."),
    policies: z
      .record(z.string(), z.string())
      .describe("Policies for device management. Users cannot change them. On Linux: /etc/vscode/policy.json."),
  }),
  handle: async ({ deps, caller, input }) => {
    const { registryUrl, notes } = await registryFor(deps, caller.tenantId, input.query.view);
    return {
      registryUrl,
      notes,
      settings: {
        "chat.mcp.gallery.enabled": true,
        "chat.mcp.gallery.serviceUrl": registryUrl,
        "chat.mcp.access": "registry",
      },
      policies: { McpGalleryServiceUrl: registryUrl, ChatMCP: "registry" },
    };
  },
});

/**
 * GitHub Copilot has two mechanisms that should not be combined: a list of addresses in `managed-settings.json`, which
 * its documentation recommends, and a registry with "Registry only". The list allows everything that goes through this
 * gateway.
 */
export const copilotPolicy = route({
  method: "get",
  path: `${PATH}/copilot`,
  id: "getCopilotPolicy",
  tag: "Registry management",
  summary: "Get GitHub Copilot settings that allow only this gateway",
  who,
  in: { query },
  refusals: ["not_found"],
  out: z.object({
    ...common,
    managedSettings: z
      .object({
        allowedMcpServers: z
          .array(z.object({ serverUrl: z.string().describe("A URL; * matches any text.") }))
          .describe("Servers that may run."),
      })
      .describe("managed-settings.json"),
    registryPolicy: z
      .object({
        mcpServersInCopilot: z.string().describe("“MCP servers in Copilot”."),
        mcpRegistryUrl: z.string().describe("“MCP Registry URL”."),
        restrictMcpAccess: z.string().describe("“Restrict MCP access to registry servers”."),
      })
      .describe("What to set on github.com under AI controls, MCP, instead of the list."),
  }),
  handle: async ({ deps, caller, input }) => {
    const { registryUrl, notes } = await registryFor(deps, caller.tenantId, input.query.view);
    const mcp = `${deps.config.BASE_URL}/mcp`;
    return {
      registryUrl,
      notes: [
        "Use only one of the two. With the list in managed-settings.json, set “Restrict MCP access to registry servers” to “Allow all”.",
        ...notes,
      ],
      managedSettings: { allowedMcpServers: [{ serverUrl: mcp }, { serverUrl: `${mcp}/*` }] },
      registryPolicy: {
        mcpServersInCopilot: "Enabled everywhere",
        mcpRegistryUrl: registryUrl,
        restrictMcpAccess: "Registry only",
      },
    };
  },
});

/**
 * The registry's URL and notes about it. The secret of a private view is not stored, so the URL has a placeholder for
 * it.
 */
async function registryFor(deps: ApiDeps, tenantId: string, viewId: string | undefined) {
  const origin = deps.config.BASE_URL;
  const found = await findPolicyView({ db: deps.databases.read }, { tenantId, viewId: viewId ?? null }, deps.now());
  if (!found) throw new AppError("not_found", "There is no private view with this id.");
  const notes: string[] = [];
  if (viewId !== undefined)
    notes.push(`Replace ${SECRET} with the view's secret. It was shown when the view was created, and is not stored.`);
  if (found.endsAt)
    notes.push(`This view stops working at ${found.endsAt.toISOString()}. Use the view that replaces it.`);
  if (found.hasAddresses) notes.push("This view can only be used from its allowed IP addresses.");
  if (!found.hasServers) notes.push("This view has no servers: clients that are limited to it cannot run any.");
  return { registryUrl: viewId === undefined ? origin : `${origin}/r/${SECRET}`, notes };
}
