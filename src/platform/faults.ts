import * as z from "zod";

type Issue = Parameters<z.core.$ZodErrorMap>[0];

/** The part of a request, or the arguments of a tool, that is checked. A fault of the whole part names it. */
export type Place = "query" | "path" | "header" | "body" | "arguments";

/** The parsed value, or one sentence for each fault. */
export type Checked<T> = { data: T } | { faults: string[] };

/**
 * Checks input. Each fault is a sentence that names the place: `"limit" must be a whole number between 1 and 100.` A
 * message of the schema's own rule continues the sentence after the name: `z.string().refine(isSlug, "must be a slug")`
 * gives `"name" must be a slug.`
 */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  place: Place,
): Checked<z.infer<Schema>> {
  const parsed = schema.safeParse(value, { error: predicateOf });
  return parsed.success
    ? { data: parsed.data }
    : { faults: parsed.error.issues.flatMap((issue) => sentences(issue, place)) };
}

const WHOLE: Readonly<Record<Place, string>> = {
  query: "The query",
  path: "The path",
  header: "The headers",
  body: "The body",
  arguments: "The arguments",
};

function sentences(issue: z.core.$ZodIssue, place: Place): string[] {
  if (issue.code === "unrecognized_keys") {
    const parent = nameOf(issue.path);
    return issue.keys.map((key) => `"${parent}${parent === "" ? "" : "."}${shortened(key)}" is not ${KNOWN[place]}.`);
  }
  return [`${issue.path.length === 0 ? WHOLE[place] : `"${nameOf(issue.path)}"`} ${issue.message}.`];
}

const KNOWN: Readonly<Record<Place, string>> = {
  query: "a query parameter of this address",
  path: "a part of this address",
  header: "a header of this address",
  body: "a known field",
  arguments: "an argument of this tool",
};

/** `rate.perMinute`, `addresses[2]`. */
const nameOf = (path: readonly PropertyKey[]) =>
  path
    .map((part, index) =>
      typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${shortened(String(part))}`,
    )
    .join("");

const shortened = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);

/** The predicate of a fault's sentence. Rules with a message of their own do not get here. */
function predicateOf(issue: Issue): string {
  if (issue.code === "invalid_type" && issue.input === undefined) return "is required";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${kindOf(issue.schema) ?? KINDS[issue.expected] ?? issue.expected}`;
    case "too_small":
    case "too_big":
      return boundsOf(issue);
    case "invalid_format":
      return `must be ${FORMATS[issue.format] ?? "in another format"}`;
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "unrecognized_keys":
      return `must not have ${issue.keys.map((key) => `"${shortened(key)}"`).join(", ")}`;
    case "invalid_value":
      return `must be ${choice(issue.values)}`;
    case "invalid_union":
      return unionFault(issue);
    case "invalid_key":
      return `has a name that is not allowed: it ${issue.issues[0]?.message ?? "is not valid"}`;
    case "invalid_element":
      return `has an item that is not allowed: it ${issue.issues[0]?.message ?? "is not valid"}`;
    case "custom":
      return "is not valid";
    default:
      return issue satisfies never;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
};

const FORMATS: Readonly<Record<string, string>> = {
  uuid: "a UUID",
  url: "a URL",
  email: "an email address",
  datetime: 'a time as in RFC 3339, such as "2026-01-31T12:00:00Z"',
  date: 'a date such as "2026-01-31"',
  base64: "base64",
  base64url: "base64url",
};

/** The kind of value that a schema accepts, with its bounds; undefined where {@link KINDS} has it. */
function kindOf(schema: z.core.$ZodType | undefined): string | undefined {
  if (schema instanceof z.ZodNumber) return numberOf(schema);
  return schema instanceof z.ZodStringFormat && schema.format !== null ? FORMATS[schema.format] : undefined;
}

function numberOf(schema: z.ZodNumber): string {
  const isWhole = schema.format !== null && /int/.test(schema.format);
  const kind = isWhole ? "a whole number" : "a number";
  const bound = (value: number | null) => (value === null || Math.abs(value) >= Number.MAX_SAFE_INTEGER ? null : value);
  const [least, most] = [bound(schema.minValue), bound(schema.maxValue)];
  if (least !== null && most !== null) return `${kind} between ${least} and ${most}`;
  if (least !== null) return `${kind} of at least ${least}`;
  return most === null ? kind : `${kind} of at most ${most}`;
}

function boundsOf(issue: Extract<Issue, { code: "too_small" | "too_big" }>): string {
  if (issue.schema instanceof z.ZodNumber) return `must be ${numberOf(issue.schema)}`;
  const isSmall = issue.code === "too_small";
  const bound = isSmall ? issue.minimum : issue.maximum;
  const words = isSmall ? "at least" : "at most";
  const unit = UNITS[issue.origin];
  if (unit === undefined) return `must be ${words} ${bound}`;
  return isSmall && bound === 1 ? "must not be empty" : `must have ${words} ${bound} ${unit}${bound === 1 ? "" : "s"}`;
}

const UNITS: Readonly<Record<string, string>> = { string: "character", array: "item", set: "item" };

function unionFault(issue: Extract<Issue, { code: "invalid_union" }>): string {
  const { options } = issue;
  if (Array.isArray(options)) return `must be ${choice(options)}`;
  const faults = new Set(issue.errors.flatMap(([first]) => (first && first.path.length === 0 ? [first.message] : [])));
  return faults.size === 0 ? "has none of the allowed forms" : [...faults].join(", or ");
}

function choice(values: readonly unknown[]): string {
  const [only] = values;
  if (values.length === 1) return shown(only);
  return `one of ${values.map(shown).join(", ")}`;
}

const shown = (value: unknown) => (typeof value === "string" ? `"${value}"` : String(value));
