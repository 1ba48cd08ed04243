import { ResourceTemplate, type McpServer } from "@modelcontextprotocol/server";
import type { EverythingState } from "./everything-state.ts";
import { redPixelPng } from "./media.ts";

/** The resource that `touch_watched_resource` changes and that clients may subscribe to. */
export const watchedResourceUri = "test://watched-resource";

const forFiveMinutes = { ttlMs: 300_000, cacheScope: "public" } as const;

/** A text, a binary and a changing resource, one to embed in prompts, and a template with completion. */
export function registerResources(server: McpServer, state: EverythingState): void {
  const offerText = (name: string, uri: string, description: string, content: () => string): void => {
    server.registerResource(name, uri, { description, mimeType: "text/plain" }, () => ({
      contents: [{ uri, mimeType: "text/plain", text: content() }],
    }));
  };

  server.registerResource(
    "static-text",
    "test://static-text",
    {
      title: "Static text",
      description: "A text that never changes.",
      mimeType: "text/plain",
      cacheHint: forFiveMinutes,
    },
    ({ href }) => ({
      contents: [{ uri: href, mimeType: "text/plain", text: "This is the content of the static text resource." }],
    }),
  );

  server.registerResource(
    "static-binary",
    "test://static-binary",
    { title: "Static image", description: "A PNG of one red pixel.", mimeType: "image/png", cacheHint: forFiveMinutes },
    ({ href }) => ({ contents: [{ uri: href, mimeType: "image/png", blob: redPixelPng }] }),
  );

  offerText(
    "example-resource",
    "test://example-resource",
    "The resource that test_prompt_with_embedded_resource is usually given.",
    () => "Embedded resource content for testing.",
  );

  offerText(
    "watched-resource",
    watchedResourceUri,
    "Changes with every call of touch_watched_resource.",
    () => `Revision ${state.revision}`,
  );

  server.registerResource(
    "template-data",
    new ResourceTemplate("test://template/{id}/data", {
      list: undefined,
      complete: { id: (typed) => ["123", "124", "456"].filter((id) => id.startsWith(typed)) },
    }),
    { title: "Data by id", description: "JSON data for any id.", mimeType: "application/json" },
    ({ href }, { id }) => ({
      contents: [
        {
          uri: href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );
}
