/** What outlives a single request to the everything server. */
export interface EverythingState {
  /** Whether tools/list includes `extra_tool`, toggled by `test_trigger_tool_change`. */
  extraTool: boolean;
  /** Whether prompts/list includes `extra_prompt`, toggled by `test_trigger_prompt_change`. */
  extraPrompt: boolean;
  /** How often `touch_watched_resource` has changed `test://watched-resource`. */
  revision: number;
  /** Outcomes of the `slow` calls that carried a label. */
  slowCalls: Map<string, Promise<SlowOutcome>>;
}

/** How a `slow` call ended: after its whole time, or because the caller cancelled it or went away. */
export type SlowOutcome = "completed" | "cancelled";

/** The state of a server that has not been called yet. */
export function createEverythingState(): EverythingState {
  return { extraTool: false, extraPrompt: false, revision: 0, slowCalls: new Map() };
}
