import { isObject } from "../../platform/json.ts";
import { MAX_PROBLEMS, pointerTo, type DefinitionProblemCode, type Findings } from "./problem.ts";

/**
 * A value of the file that is checked, its JSON Pointer, and the list that findings are added to. An absent value is
 * `undefined`.
 */
export interface Place {
  value: unknown;
  pointer: string;
  findings: Findings;
}

/** Adds a problem at this place. After {@link MAX_PROBLEMS} problems, further ones are dropped. */
export function report({ pointer, findings }: Place, code: DefinitionProblemCode, problem: string): void {
  if (findings.problems.length < MAX_PROBLEMS) findings.problems.push({ pointer, code, problem });
}

/**
 * Adds a problem that publishers here must fix but that is only a remark for a mirrored file. It does no harm there,
 * and other registries do not check for it: refusing such files would lose many of their servers.
 */
export function advise({ pointer, findings }: Place, code: DefinitionProblemCode, problem: string): void {
  const notes = findings.isMirrored ? findings.remarks : findings.problems;
  if (notes.length < MAX_PROBLEMS) notes.push({ pointer, code, problem });
}

const inCamelCase = (key: string) => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * The known members of an object by name; an absent member is a place without a value. Undefined when the value is not
 * an object. Unknown members are dropped and noted, because later versions of the schema may add some. Only snake_case
 * names from before 2025-09-16 are a problem.
 */
export function members<const Key extends string>(place: Place, known: readonly Key[]): Record<Key, Place> | undefined {
  const { value, pointer, findings } = place;
  if (!isObject(value)) {
    report(place, "wrong_type", "This must be an object.");
    return undefined;
  }
  const at = (key: string): Place => ({
    value: Object.hasOwn(value, key) ? value[key] : undefined,
    pointer: pointerTo(pointer, key),
    findings,
  });
  const names: readonly string[] = known;
  for (const key of Object.keys(value).filter((name) => !names.includes(name))) {
    const camel = inCamelCase(key);
    if (names.includes(camel)) report(at(key), "renamed_field", `This field was renamed on 2025-09-16: use ${camel}.`);
    else if (findings.dropped.length < MAX_PROBLEMS) findings.dropped.push(at(key).pointer);
  }
  return Object.fromEntries(known.map((key) => [key, at(key)])) as Record<Key, Place>;
}

/**
 * The rules of a text. Lengths count characters (code points), not UTF-16 units. `form` is tested only when the other
 * rules hold.
 */
export interface TextRule {
  max: number;
  min?: number;
  /** Line breaks and tabs are allowed. */
  lines?: boolean;
  form?: { is: RegExp | ((text: string) => boolean); said: string };
}

/** Reads a text that may be absent. Undefined when it is absent, or when it breaks a rule, which is reported. */
export function optionalText(place: Place, rule: TextRule): string | undefined {
  const { value } = place;
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    const advice = typeof value === "number" || typeof value === "boolean" ? `: write "${value}" in quotes.` : ".";
    report(place, "wrong_type", `This must be a string${advice}`);
    return undefined;
  }
  const length = Array.from(value).length;
  const min = rule.min ?? 1;
  if (length < min)
    report(place, "too_short", `At least ${min} character${min === 1 ? " is" : "s are"} required here.`);
  else if (length > rule.max)
    report(place, "too_long", `At most ${rule.max} characters are allowed here; there are ${length}.`);
  else if (min > 0 && value.trim() === "") report(place, "too_short", "This has only white space. Write a text.");
  else if (rule.lines !== true && /[\t\n\r]/.test(value))
    report(place, "unsafe_character", "Line breaks and tabs are not allowed here: write it on one line.");
  else if (rule.form !== undefined && !matches(rule.form.is, value)) report(place, "form", rule.form.said);
  else return value;
  return undefined;
}

const matches = (form: RegExp | ((text: string) => boolean), text: string) =>
  form instanceof RegExp ? form.test(text) : form(text);

/** True when there is a value; reports its absence. */
export function isPresent(place: Place, advice = ""): boolean {
  if (place.value === undefined) report(place, "required", `This field is required.${advice && ` ${advice}`}`);
  return place.value !== undefined;
}

/** Reads a required text. Returns the empty text after a problem was reported; the definition is not used then. */
export function requiredText(place: Place, rule: TextRule): string {
  return (isPresent(place) ? optionalText(place, rule) : undefined) ?? "";
}

/** Reads one of the given choices; undefined when it is absent. */
export function optionalChoice<const Choice extends string>(
  place: Place,
  choices: readonly Choice[],
): Choice | undefined {
  if (place.value === undefined) return undefined;
  const found = choices.find((choice) => choice === place.value);
  if (found === undefined) report(place, "unknown_choice", `This must be one of: ${choices.join(", ")}.`);
  return found;
}

/** Reads a boolean; undefined when it is absent. */
export function optionalFlag(place: Place): boolean | undefined {
  const { value } = place;
  if (value === undefined || typeof value === "boolean") return value;
  report(place, "wrong_type", "This must be true or false, without quotes.");
  return undefined;
}

/** Reads a list that may be absent. Each item is read by `read`; items for which it returns undefined are left out. */
export function optionalList<Item>(
  place: Place,
  max: number,
  read: (item: Place) => Item | undefined,
): Item[] | undefined {
  const { value, pointer, findings } = place;
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) {
    report(place, "wrong_type", "This must be a list.");
    return undefined;
  }
  if (value.length > max) {
    report(place, "too_many", `At most ${max} entries are allowed here; there are ${value.length}.`);
    return undefined;
  }
  return value
    .map((item: unknown, index) => read({ value: item, pointer: pointerTo(pointer, index), findings }))
    .filter((item) => item !== undefined);
}

/** Reports each place whose text already occurred earlier in the list. */
export function reportDuplicates(places: readonly Place[], what: string, keyOf = (text: string) => text): void {
  const seen = new Set<string>();
  for (const place of places) {
    if (typeof place.value !== "string") continue;
    const key = keyOf(place.value);
    if (seen.has(key)) advise(place, "duplicate", `There is already ${what} with this name. Keep one of them.`);
    seen.add(key);
  }
}

type Present<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The object without its undefined members, in the same order. */
export function present<T extends object>(object: T): Present<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}
