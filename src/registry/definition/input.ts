import { isObject } from "../../platform/json.ts";
import {
  advise,
  members,
  optionalChoice,
  optionalFlag,
  optionalList,
  optionalText,
  present,
  report,
  reportDuplicates,
  requiredText,
  type Place,
  type TextRule,
} from "./place.ts";
import type { Variables } from "./url.ts";
import { pointerTo } from "./problem.ts";

const FORMATS = ["string", "number", "boolean", "filepath"] as const;
const MAX_ENTRIES = 100;
const valueRule: TextRule = { min: 0, max: 4096 };

/** A value for a server, supplied by the user or by the publisher. */
export interface Input {
  description?: string;
  isRequired?: boolean;
  format?: (typeof FORMATS)[number];
  value?: string;
  isSecret?: boolean;
  default?: string;
  placeholder?: string;
  choices?: string[];
}

/** An input whose value may contain `{name}` as a placeholder for a value that the user supplies. */
export interface TemplateInput extends Input {
  variables?: Record<string, Input>;
}

/** A header or an environment variable. */
export interface NamedInput extends TemplateInput {
  name: string;
}

const INPUT_FIELDS = [
  "description",
  "isRequired",
  "format",
  "value",
  "isSecret",
  "default",
  "placeholder",
  "choices",
] as const;
type InputField = (typeof INPUT_FIELDS)[number];

/** The fields of an input with variables, for {@link members}. */
export const TEMPLATE_FIELDS = [...INPUT_FIELDS, "variables"] as const;

function readInput(at: Record<InputField, Place>): Input {
  const input: Input = present({
    description: optionalText(at.description, { min: 0, max: 2000, lines: true }),
    isRequired: optionalFlag(at.isRequired),
    format: optionalChoice(at.format, FORMATS),
    value: optionalText(at.value, valueRule),
    isSecret: optionalFlag(at.isSecret),
    default: optionalText(at.default, valueRule),
    placeholder: optionalText(at.placeholder, valueRule),
    choices: optionalList(at.choices, MAX_ENTRIES, (item) => optionalText(item, { min: 0, max: 1000 })),
  });
  const { choices, default: given } = input;
  if (given !== undefined && choices !== undefined && choices.length > 0 && !choices.includes(given))
    advise(at.default, "default_not_a_choice", "The default must be one of the choices.");
  if (given !== undefined && given !== "" && input.isSecret === true)
    advise(
      at.default,
      "secret_published",
      "A secret must not have a default: anyone can read it here. Remove the default.",
    );
  if (given !== undefined) checkFormat(at.default, given, input.format);
  return input;
}

/** Checks a text against `Input.format` of the schema: numbers are decimal, booleans are `true` or `false`. */
function checkFormat(place: Place, text: string, format: Input["format"]): void {
  const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text);
  if (format === "number" && !isNumber) advise(place, "default_form", "The format is number: write a decimal number.");
  if (format === "boolean" && text !== "true" && text !== "false")
    advise(place, "default_form", 'The format is boolean: write "true" or "false".');
}

/**
 * Reads an input whose value may be a template. Each `{name}` must be defined in its variables; otherwise clients would
 * not ask for it.
 */
export function readTemplateInput(at: Record<InputField | "variables", Place>): TemplateInput {
  const input = readInput(at);
  const variables = optionalVariables(at.variables);
  const names = [...(input.value ?? "").matchAll(/\{([A-Za-z_][\w.-]*)\}/g)].map(([, name = ""]) => name);
  const unknown = names.filter((name) => variables === undefined || !Object.hasOwn(variables, name));
  if (unknown.length > 0)
    advise(
      at.value,
      "undefined_variable",
      `Define ${[...new Set(unknown)].join(", ")} in the variables of this value.`,
    );
  if (input.isSecret === true && names.length === 0 && (input.value ?? "") !== "")
    advise(
      at.value,
      "secret_published",
      "Anyone can read a fixed secret here. Remove it, or use a {variable} instead.",
    );
  if (names.length === 0 && input.value !== undefined) checkFormat(at.value, input.value, input.format);
  return present({ ...input, variables });
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

/** Reads a map from names to variables; undefined when it is absent. */
export function optionalVariables(place: Place): Record<string, Input> | undefined {
  const { value, findings } = place;
  if (value === undefined) return undefined;
  if (!isObject(value)) {
    report(place, "wrong_type", "This must be an object that maps names to variables.");
    return undefined;
  }
  const keys = Object.keys(value);
  if (keys.length > MAX_ENTRIES) {
    report(place, "too_many", `At most ${MAX_ENTRIES} variables are allowed here.`);
    return undefined;
  }
  const entries = keys.map((name): [string, Input] => {
    const item: Place = { value: value[name], pointer: pointerTo(place.pointer, name), findings };
    if (!VARIABLE.test(name))
      report(item, "form", "A variable's name has at most 64 characters: letters, digits, _ . and -.");
    const at = members(item, INPUT_FIELDS);
    return [name, at === undefined ? {} : readInput(at)];
  });
  return Object.fromEntries(entries);
}

/** The values that the file itself supplies for this input: fixed value, default and choices. */
export function namedValues({ value, default: given, choices }: Input): string[] {
  return [value, given, ...(choices ?? [])].filter((text) => text !== undefined).filter((text) => !text.includes("{"));
}

/** The values that the file supplies for each variable, for URL templates. */
export const variableValues = (variables: Record<string, Input> | undefined): Variables =>
  new Map(Object.entries(variables ?? {}).map(([name, input]) => [name, namedValues(input)]));

const ENVIRONMENT_NAME = { is: /^[A-Za-z_][A-Za-z0-9_]*$/, said: "A name has letters, digits and _ only." };
/** RFC 9110 §5.6.2. */
const HEADER_NAME = { is: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, said: "This is not a valid header name (RFC 9110)." };
/**
 * Headers that the HTTP client sets itself. A registry entry that sets them would change where or how a request is
 * sent.
 */
const RESERVED_HEADERS = new Set(
  "connection content-length content-type expect forwarded host keep-alive mcp-protocol-version mcp-session-id proxy-authorization te trailer transfer-encoding upgrade via".split(
    " ",
  ),
);

function optionalNamedInputs(place: Place, form: NonNullable<TextRule["form"]>): [Place, NamedInput][] | undefined {
  return optionalList(place, MAX_ENTRIES, (item) => {
    const at = members(item, ["name", ...TEMPLATE_FIELDS]);
    if (at === undefined) return undefined;
    const name = requiredText(at.name, { max: 128, form });
    return [at.name, { name, ...readTemplateInput(at) }];
  });
}

/** Reads environment variables, each name at most once; undefined when they are absent. */
export function optionalEnvironment(place: Place): NamedInput[] | undefined {
  const found = optionalNamedInputs(place, ENVIRONMENT_NAME);
  reportDuplicates(
    (found ?? []).map(([at]) => at),
    "a variable",
  );
  return found?.map(([, input]) => input);
}

/**
 * Reads headers, each name at most once (case-insensitive) and none that is reserved; undefined when they are absent.
 */
export function optionalHeaders(place: Place): NamedInput[] | undefined {
  const found = optionalNamedInputs(place, HEADER_NAME);
  reportDuplicates(
    (found ?? []).map(([at]) => at),
    "a header",
    (name) => name.toLowerCase(),
  );
  for (const [at, { name }] of found ?? []) {
    if (RESERVED_HEADERS.has(name.toLowerCase()))
      report(at, "reserved_header", "Clients set this header themselves: remove it.");
  }
  return found?.map(([, input]) => input);
}
