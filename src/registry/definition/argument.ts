import { isObject } from "../../platform/json.ts";
import { readTemplateInput, TEMPLATE_FIELDS, type Input, type TemplateInput } from "./input.ts";
import {
  advise,
  isPresent,
  members,
  optionalChoice,
  optionalFlag,
  optionalList,
  optionalText,
  present,
  report,
  requiredText,
  type Place,
} from "./place.ts";
import { pointerTo } from "./problem.ts";

const MAX_ARGUMENTS = 100;

/** A command-line argument: positional, or named (`--flag value`). */
export interface Argument extends TemplateInput {
  type: "positional" | "named";
  name?: string;
  valueHint?: string;
  isRepeated?: boolean;
}

const FLAG = {
  is: /^[^\s<>${}"'`;|&]+$/,
  said: "Write only the flag, such as --port. Its value goes into value or default.",
};
const HINT = { is: /^[^\s{}]+$/, said: "A hint is one word, such as file_path." };

/** Reads a list of command-line arguments; undefined when it is absent. */
export function optionalArguments(place: Place): Argument[] | undefined {
  return optionalList(place, MAX_ARGUMENTS, readArgument);
}

function readArgument(item: Place): Argument | undefined {
  const isNamed = isObject(item.value) && item.value["type"] === "named";
  const at = members(item, [
    "type",
    ...(isNamed ? (["name"] as const) : []),
    "valueHint",
    "isRepeated",
    ...TEMPLATE_FIELDS,
  ]);
  if (at === undefined) return undefined;
  if (isPresent(at.type)) optionalChoice(at.type, ["positional", "named"]);
  const name = isNamed ? requiredText(at.name, { max: 200, form: FLAG }) : undefined;
  const valueHint = optionalText(at.valueHint, { max: 200, form: HINT });
  if (!isNamed && at.valueHint.value === undefined && at.value.value === undefined)
    report(at.valueHint, "required", "A positional argument needs a valueHint or a value.");
  const input = readTemplateInput(at);
  checkName(at, input, name);
  checkShell(at, input);
  for (const [variable, inner] of Object.entries(input.variables ?? {})) {
    const pointer = pointerTo(at.variables.pointer, variable);
    const within = (field: string): Place => ({ ...at.variables, pointer: pointerTo(pointer, field) });
    checkShell({ value: within("value"), default: within("default"), choices: within("choices") }, inner);
  }
  return {
    type: isNamed ? "named" : "positional",
    ...present({ name, valueHint, isRepeated: optionalFlag(at.isRepeated) }),
    ...input,
  };
}

function checkName(at: Record<"value" | "default", Place>, input: Input, name: string | undefined): void {
  if (name === undefined || name === "") return;
  for (const field of ["value", "default"] as const) {
    const rest = input[field]?.startsWith(name) === true ? input[field].slice(name.length) : "-";
    if (/^([\s=]|$)/.test(rest))
      advise(at[field], "value_repeats_name", "Clients put the name before the value. Remove it from the value.");
  }
}

/**
 * Characters that let a value break out of its argument when a client runs the command through a shell: command
 * separators, pipes, redirections and substitutions. The schema warns of this (`Argument`).
 */
const SHELL = /[;&|<>`\n\r]|\$[({A-Za-z_]/;

function checkShell(
  at: Record<"value" | "default" | "choices", Place>,
  { value, default: given, choices }: Input,
): void {
  const check = (place: Place, text: string) => {
    if (SHELL.test(text))
      advise(
        place,
        "shell_characters",
        "A shell would interpret this. Remove ; & | < > ` and $, or let the user supply the value.",
      );
  };
  check(at.value, value ?? "");
  check(at.default, given ?? "");
  check(at.choices, choices?.find((choice) => SHELL.test(choice)) ?? "");
}
