import type { CallToolResult, McpServer } from "@modelcontextprotocol/server";
import { redPixelPng, silenceWav } from "./media.ts";
import { failure } from "./tool-results.ts";

type Content = CallToolResult["content"];

/** One tool for each kind of content block, one that mixes them, and one that only fails. */
export function registerContentTools(server: McpServer): void {
  const offer = (name: string, title: string, description: string, content: Content): void => {
    server.registerTool(
      name,
      { title, description, annotations: { readOnlyHint: true, openWorldHint: false } },
      () => ({ content }),
    );
  };

  offer("test_simple_text", "Text", "Returns one text block.", [
    { type: "text", text: "This is a simple text response for testing." },
  ]);
  offer("test_image_content", "Image", "Returns a PNG of one red pixel.", [
    { type: "image", data: redPixelPng, mimeType: "image/png" },
  ]);
  offer("test_audio_content", "Audio", "Returns a millisecond of silence as WAV.", [
    { type: "audio", data: silenceWav, mimeType: "audio/wav" },
  ]);
  offer("test_embedded_resource", "Embedded resource", "Returns a text resource inside the result.", [
    {
      type: "resource",
      resource: {
        uri: "test://embedded-resource",
        mimeType: "text/plain",
        text: "This is an embedded resource content.",
      },
    },
  ]);
  offer("test_resource_link", "Resource link", "Returns a link to test://static-text, to be read separately.", [
    { type: "resource_link", uri: "test://static-text", name: "static-text", mimeType: "text/plain" },
  ]);
  offer("test_multiple_content_types", "Mixed content", "Returns text, an image and a resource in one result.", [
    { type: "text", text: "Multiple content types test:" },
    { type: "image", data: redPixelPng, mimeType: "image/png" },
    {
      type: "resource",
      resource: {
        uri: "test://mixed-content-resource",
        mimeType: "application/json",
        text: JSON.stringify({ test: "data", value: 123 }),
      },
    },
  ]);

  server.registerTool(
    "test_error_handling",
    {
      title: "Tool error",
      description: "Always answers with a tool error.",
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    () => failure("This tool intentionally returns an error for testing"),
  );
}
