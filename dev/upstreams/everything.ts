import { McpServer } from "@modelcontextprotocol/server";
import { registerContentTools } from "./content-tools.ts";
import { registerEverydayTools } from "./everyday-tools.ts";
import { createEverythingState, type EverythingState } from "./everything-state.ts";
import { registerInputRequiredTools } from "./input-required-tools.ts";
import { registerListChangeTools } from "./list-change-tools.ts";
import { registerNotificationTools } from "./notification-tools.ts";
import { registerPrompts } from "./prompts.ts";
import { requestStateCodec } from "./request-state.ts";
import { registerResources } from "./resources.ts";
import { registerSchemaTools } from "./schema-tools.ts";
import type { UpstreamContext, UpstreamFactory } from "./serve.ts";

const listsFor5Seconds = { ttlMs: 5_000, cacheScope: "public" } as const;

const withoutSubscribers: UpstreamContext = {
  era: "modern",
  notify: { toolsChanged() {}, promptsChanged() {}, resourcesChanged() {}, resourceUpdated() {} },
};

/**
 * A server with one of everything that MCP 2026-07-28 lets a server offer. The `test_*` names and `test://` addresses
 * are the fixtures that `@modelcontextprotocol/conformance` calls; the other names are for people and tests.
 */
export function createEverything(
  { era, notify }: UpstreamContext = withoutSubscribers,
  state: EverythingState = createEverythingState(),
): McpServer {
  const canNotify = era === "modern";
  const server = new McpServer(
    { name: "everything", title: "Everything", version: "1.0.0" },
    {
      instructions: "A demo server. Try add, echo, slow and fail; the test_* tools are fixtures for conformance tests.",
      capabilities: {
        tools: { listChanged: canNotify },
        prompts: { listChanged: canNotify },
        resources: { listChanged: false, subscribe: canNotify },
        completions: {},
        logging: {},
      },
      cacheHints: {
        "server/discover": listsFor5Seconds,
        "tools/list": listsFor5Seconds,
        "prompts/list": listsFor5Seconds,
        "resources/list": listsFor5Seconds,
        "resources/templates/list": listsFor5Seconds,
      },
      requestState: { verify: (signed, ctx) => requestStateCodec.verify(signed, ctx) },
    },
  );
  registerEverydayTools(server, state);
  registerContentTools(server);
  registerNotificationTools(server);
  registerInputRequiredTools(server);
  registerSchemaTools(server);
  registerListChangeTools(server, state, notify);
  registerResources(server, state);
  registerPrompts(server, state);
  return server;
}

/** A factory whose servers share one state, so that what one request changes the next one sees. */
export function everythingFactory(): UpstreamFactory {
  const state = createEverythingState();
  return (context) => createEverything(context, state);
}
