import type { McpServer, ServerNotifier } from "@modelcontextprotocol/server";
import type { EverythingState } from "./everything-state.ts";
import { watchedResourceUri } from "./resources.ts";
import { text } from "./tool-results.ts";

/** Tools that change what this server offers and tell the clients that listen (`subscriptions/listen`). */
export function registerListChangeTools(server: McpServer, state: EverythingState, notify: ServerNotifier): void {
  server.registerTool(
    "test_trigger_tool_change",
    { title: "Toggle extra_tool", description: "Adds the tool extra_tool to this server, or takes it away again." },
    () => {
      state.extraTool = !state.extraTool;
      notify.toolsChanged();
      return text(state.extraTool ? "extra_tool is now offered." : "extra_tool is no longer offered.");
    },
  );

  server.registerTool(
    "test_trigger_prompt_change",
    { title: "Toggle extra_prompt", description: "Adds the prompt extra_prompt, or takes it away again." },
    () => {
      state.extraPrompt = !state.extraPrompt;
      notify.promptsChanged();
      return text(state.extraPrompt ? "extra_prompt is now offered." : "extra_prompt is no longer offered.");
    },
  );

  server.registerTool(
    "touch_watched_resource",
    { title: "Change the watched resource", description: `Changes ${watchedResourceUri} and tells who subscribed.` },
    () => {
      state.revision += 1;
      notify.resourceUpdated(watchedResourceUri);
      return text(`${watchedResourceUri} is now at revision ${state.revision}.`);
    },
  );

  if (state.extraTool) {
    server.registerTool(
      "extra_tool",
      { title: "Extra tool", description: "Is offered only after test_trigger_tool_change." },
      () => text("The extra tool answers."),
    );
  }
}
