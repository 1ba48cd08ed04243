import * as z from "zod";
import { route } from "./route.ts";

export const registryHealth = route({
  method: "get",
  path: "/health",
  id: "getRegistryHealth",
  tag: "Registry",
  summary: "Check that the registry answers, and get the GitHub app to sign in with",
  who: "anyone",
  out: z.object({
    status: z.literal("ok").describe("The registry answers."),
    github_client_id: z.string().optional().describe("The GitHub app that `mcp-publisher login github` signs in with."),
  }),
  handle: ({ deps: { config } }) => ({
    status: "ok" as const,
    ...(config.GITHUB_CLIENT_ID !== undefined && { github_client_id: config.GITHUB_CLIENT_ID }),
  }),
});

export const registryPing = route({
  method: "get",
  path: "/ping",
  id: "pingRegistry",
  tag: "Registry",
  summary: "Check that the registry answers",
  who: "anyone",
  out: z.object({ pong: z.literal(true).describe("The registry answers.") }),
  handle: () => ({ pong: true as const }),
});

export const registryVersion = route({
  method: "get",
  path: "/version",
  id: "getRegistryVersion",
  tag: "Registry",
  summary: "Get the version of the running release",
  who: "anyone",
  out: z.object({ version: z.string().describe("The version of the release.") }),
  handle: ({ deps }) => ({ version: deps.version }),
});
