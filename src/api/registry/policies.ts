import * as z from "zod";
import { AppError } from "../../platform/errors.ts";
import { findPolicyView } from "../../registry/views/policy-view.ts";
import { route, type ApiDeps } from "../deps.ts";

const who = { scopes: ["mcp-registry:read"] } as const;
const PATH = "/api/v1/registry/policies";
const SECRET = "SECRET";

const query = z.strictObject({
  view: z.uuid("is not the id of a private view").optional().describe("A private view; without it, the public one."),
});
const common = {
  registryUrl: z.string().describe("Where the client finds the registry."),
  notes: z.array(z.string()).describe("What is to be done by hand, and what would shut people out."),
};

/**
 * Settings and policies of VS Code (`chat.mcp.*`; policies since 1.101) that let it run what this registry lists, and nothing else. The
 * enterprise documentation is at https://code.visualstudio.com/docs/enterprise/policies.
 */
export const vscodePolicy = route({
  method: "get",
  path: `${PATH}/vscode`,
  id: "getVscodePolicy",
  tag: "Registry management",
  summary: "VS Code settings that trust exactly this gateway",
  who,
  in: { query },
  refusals: ["not_found"],
  out: z.object({
    ...common,
    settings: z.record(z.string(), z.unknown()).describe("For settings.json: people can change them."),
    policies: z
      .record(z.string(), z.string())
      .describe("For device management: people cannot. On Linux: /etc/vscode/policy.json."),
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
 * GitHub Copilot has two ways that are not meant to be combined: a list of addresses in `managed-settings.json`, which its documentation
 * recommends, and a registry with "Registry only". The first lets through whatever goes by this gateway.
 */
export const copilotPolicy = route({
  method: "get",
  path: `${PATH}/copilot`,
  id: "getCopilotPolicy",
  tag: "Registry management",
  summary: "GitHub Copilot settings that trust exactly this gateway",
  who,
  in: { query },
  refusals: ["not_found"],
  out: z.object({
    ...common,
    managedSettings: z
      .object({
        allowedMcpServers: z
          .array(z.object({ serverUrl: z.string().describe("An address, * for any text.") }))
          .describe("Servers that may run."),
      })
      .describe("managed-settings.json"),
    registryPolicy: z
      .object({
        mcpServersInCopilot: z.string().describe("“MCP servers in Copilot”."),
        mcpRegistryUrl: z.string().describe("“MCP Registry URL”."),
        restrictMcpAccess: z.string().describe("“Restrict MCP access to registry servers”."),
      })
      .describe("What to choose on github.com under AI controls, MCP, instead of the list."),
  }),
  handle: async ({ deps, caller, input }) => {
    const { registryUrl, notes } = await registryFor(deps, caller.tenantId, input.query.view);
    const mcp = `${deps.config.BASE_URL}/mcp`;
    return {
      registryUrl,
      notes: [
        "Use one of the two: with the list in managed-settings.json, set “Restrict MCP access to registry servers” to “Allow all”.",
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

/** The secret of a private view is not kept: whoever has it puts it in. */
async function registryFor(deps: ApiDeps, tenantId: string, viewId: string | undefined) {
  const origin = deps.config.BASE_URL;
  const found = await findPolicyView({ db: deps.databases.read }, { tenantId, viewId: viewId ?? null }, deps.now());
  if (!found) throw new AppError("not_found", "There is no private view of this id.");
  const notes: string[] = [];
  if (viewId !== undefined)
    notes.push(`Put the view's secret in place of ${SECRET}: it was shown when the view was made, and is not kept.`);
  if (found.endsAt) notes.push(`This view ends at ${found.endsAt.toISOString()}: use the one that takes its place.`);
  if (found.hasAddresses) notes.push("This view answers only from the addresses that it is limited to.");
  if (!found.hasServers) notes.push("There is no server in this view: clients that are limited to it will run none.");
  return { registryUrl: viewId === undefined ? origin : `${origin}/r/${SECRET}`, notes };
}
