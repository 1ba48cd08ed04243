import {
  acceptedContent,
  inputRequired,
  inputResponse,
  type CallToolResult,
  type InputRequiredResult,
  type InputRequests,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { reportProgress } from "./progress.ts";
import { requestStateCodec, type RequestState } from "./request-state.ts";
import { text } from "./tool-results.ts";

type Answer = CallToolResult | InputRequiredResult;

const nameForm = z.object({ name: z.string() });
const colorForm = z.object({ color: z.string() });
const confirmationForm = z.object({ ok: z.boolean() });

const askName = (message = "What is your name?") => inputRequired.elicit({ message, requestedSchema: nameForm });
const askConfirmation = () => inputRequired.elicit({ message: "Please confirm", requestedSchema: confirmationForm });
const askModel = (question: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: { type: "text", text: question } }], maxTokens });

/**
 * Tools that answer their first call with `input_required` and finish when the client calls again with the input
 * (multi round-trip requests, 2026-07-28). An answer that is missing or does not fit is asked for again.
 */
export function registerInputRequiredTools(server: McpServer): void {
  const offer = (name: string, description: string, answer: (ctx: ServerContext) => Promise<Answer> | Answer): void => {
    server.registerTool(name, { description, annotations: { readOnlyHint: true } }, answer);
  };

  offer("test_input_required_result_elicitation", "Asks the user for a name and greets them.", ({ mcpReq }) => {
    const answer = acceptedContent(mcpReq.inputResponses, "user_name", nameForm);
    if (answer === undefined) return inputRequired({ inputRequests: { user_name: askName() } });
    return text(`Hello, ${answer.name}!`);
  });

  offer("test_input_required_result_sampling", "Asks the client's model a question.", ({ mcpReq }) => {
    const answer = sampledText(mcpReq.inputResponses, "capital_question");
    if (answer !== undefined) return text(`The model answered: ${answer}`);
    return inputRequired({ inputRequests: { capital_question: askModel("What is the capital of France?", 100) } });
  });

  offer("test_input_required_result_list_roots", "Asks the client for its roots and names them.", ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, "client_roots");
    if (answer.kind !== "roots") return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    return text(`The client's roots: ${answer.roots.map((root) => root.uri).join(", ")}`);
  });

  for (const name of ["test_input_required_result_request_state", "test_input_required_result_tampered_state"]) {
    offer(
      name,
      "Asks for a confirmation and checks that its signed state comes back unchanged.",
      async ({ mcpReq }) => {
        const answer = acceptedContent(mcpReq.inputResponses, "confirm", confirmationForm);
        if (answer !== undefined && stateOf(name, mcpReq) !== undefined)
          return text(`state-ok, confirmed: ${answer.ok}`);
        return inputRequired({
          inputRequests: { confirm: askConfirmation() },
          requestState: await requestStateCodec.mint({ tool: name, answers: {} }),
        });
      },
    );
  }

  offer("test_input_required_result_multiple_inputs", "Asks for a name, a greeting and roots at once.", async (ctx) => {
    const tool = "test_input_required_result_multiple_inputs";
    const { inputResponses } = ctx.mcpReq;
    const user = acceptedContent(inputResponses, "user_name", nameForm);
    const greeting = sampledText(inputResponses, "greeting");
    const roots = inputResponse(inputResponses, "client_roots");
    if (user && greeting !== undefined && roots.kind === "roots" && stateOf(tool, ctx.mcpReq)) {
      return text(`${greeting} ${user.name} has ${roots.roots.length} root(s).`);
    }
    return inputRequired({
      inputRequests: {
        user_name: askName(),
        greeting: askModel("Generate a greeting", 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await requestStateCodec.mint({ tool, answers: {} }),
    });
  });

  offer("test_input_required_result_multi_round", "Asks for a name, then for a color.", async ({ mcpReq }) => {
    const tool = "test_input_required_result_multi_round";
    const earlierName = stateOf(tool, mcpReq)?.answers["name"];
    const name = earlierName ?? acceptedContent(mcpReq.inputResponses, "step1", nameForm)?.name;
    if (name === undefined) {
      return inputRequired({
        inputRequests: { step1: askName("Step 1: What is your name?") },
        requestState: await requestStateCodec.mint({ tool, answers: {} }),
      });
    }
    const answer = acceptedContent(mcpReq.inputResponses, "step2", colorForm);
    if (earlierName !== undefined && answer !== undefined) return text(`${name}'s favorite color is ${answer.color}.`);
    const message = "Step 2: What is your favorite color?";
    return inputRequired({
      inputRequests: { step2: inputRequired.elicit({ message, requestedSchema: colorForm }) },
      requestState: await requestStateCodec.mint({ tool, answers: { name } }),
    });
  });

  offer("test_input_required_result_capabilities", "Asks only for what the client says it can do.", ({ mcpReq }) => {
    if (Object.keys(mcpReq.inputResponses ?? {}).length > 0) return text("Got what the client can provide.");
    const capabilities = server.server.getClientCapabilities();
    const inputRequests: InputRequests = {
      ...(capabilities?.elicitation && { user_name: askName() }),
      ...(capabilities?.sampling && { greeting: askModel("Generate a greeting", 50) }),
      ...(capabilities?.roots && { client_roots: inputRequired.listRoots() }),
    };
    if (Object.keys(inputRequests).length === 0) return text("The client declares no way to provide input.");
    return inputRequired({ inputRequests });
  });

  offer("test_missing_capability", "Needs the client to declare the sampling capability.", ({ mcpReq }) => {
    const answer = sampledText(mcpReq.inputResponses, "greeting");
    if (answer !== undefined) return text(answer);
    return inputRequired({ inputRequests: { greeting: askModel("Generate a greeting", 50) } });
  });

  offer("test_streaming_elicitation", "Reports progress, then asks for a confirmation.", async (ctx) => {
    await reportProgress(ctx, 0, 1);
    const answer = acceptedContent(ctx.mcpReq.inputResponses, "confirm", confirmationForm);
    if (answer === undefined) return inputRequired({ inputRequests: { confirm: askConfirmation() } });
    return text(`Confirmed: ${answer.ok}`);
  });
}

function stateOf(tool: string, mcpReq: ServerContext["mcpReq"]): RequestState | undefined {
  const state = mcpReq.requestState<RequestState>();
  return state?.tool === tool ? state : undefined;
}

function sampledText(responses: Record<string, unknown> | undefined, key: string): string | undefined {
  const response = inputResponse(responses, key);
  if (response.kind !== "sampling") return undefined;
  const blocks = [response.result.content].flat();
  return blocks.map((block) => (block.type === "text" ? block.text : `[${block.type}]`)).join("\n");
}
