import {
  acceptedContent,
  completable,
  inputRequired,
  type GetPromptResult,
  type McpServer,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { EverythingState } from "./everything-state.ts";
import { redPixelPng } from "./media.ts";

type PromptContent = GetPromptResult["messages"][number]["content"];

const contextForm = z.object({ context: z.string() });
const suggestions = ["paris", "park", "party", "test value", "testing"];

/** A plain prompt, one with completable arguments, one with a resource, one with an image, one that asks for input. */
export function registerPrompts(server: McpServer, state: EverythingState): void {
  server.registerPrompt("test_simple_prompt", { title: "Simple", description: "A prompt without arguments." }, () =>
    fromUser(sentence("This is a simple prompt for testing.")),
  );

  server.registerPrompt(
    "test_prompt_with_arguments",
    {
      title: "With arguments",
      description: "A prompt that quotes its two arguments.",
      argsSchema: z.object({
        arg1: completable(z.string().describe("First test argument"), (typed) =>
          suggestions.filter((suggestion) => suggestion.startsWith(typed)),
        ),
        arg2: z.string().describe("Second test argument"),
      }),
    },
    ({ arg1, arg2 }) => fromUser(sentence(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );

  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    {
      title: "With a resource",
      description: "A prompt that embeds a resource under the given URI.",
      argsSchema: z.object({ resourceUri: z.string().describe("URI of the resource to embed") }),
    },
    ({ resourceUri }) =>
      fromUser(
        {
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." },
        },
        sentence("Please process the embedded resource above."),
      ),
  );

  server.registerPrompt(
    "test_prompt_with_image",
    { title: "With an image", description: "A prompt that shows a PNG of one red pixel." },
    () =>
      fromUser(
        { type: "image", data: redPixelPng, mimeType: "image/png" },
        sentence("Please analyze the image above."),
      ),
  );

  server.registerPrompt(
    "test_input_required_result_prompt",
    { title: "With user input", description: "A prompt that first asks the user for its context (2026-07-28)." },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, "user_context", contextForm);
      if (answer !== undefined) return fromUser(sentence(`Context: ${answer.context}`));
      const message = "What context should the prompt use?";
      const user_context = inputRequired.elicit({ message, requestedSchema: contextForm });
      return inputRequired({ inputRequests: { user_context } });
    },
  );

  if (state.extraPrompt) {
    server.registerPrompt(
      "extra_prompt",
      { title: "Extra prompt", description: "Is offered only after test_trigger_prompt_change." },
      () => fromUser(sentence("This is the extra prompt.")),
    );
  }
}

function fromUser(...contents: PromptContent[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: "user", content })) };
}

function sentence(value: string): PromptContent {
  return { type: "text", text: value };
}
