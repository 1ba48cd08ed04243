import { isObject } from "../../platform/json.ts";
import { MAX_PROBLEMS, pointerTo, type DefinitionProblemCode, type Findings } from "./problem.ts";

/** A value of the file under check, with where it stands and where findings go. An absent value is `undefined`. */
export interface Place {
  value: unknown;
  pointer: string;
  findings: Findings;
}

/** Notes what is wrong here; from {@link MAX_PROBLEMS} on no more is kept. */
export function report({ pointer, findings }: Place, code: DefinitionProblemCode, problem: string): void {
  if (findings.problems.length < MAX_PROBLEMS) findings.problems.push({ pointer, code, problem });
}

/**
 * Notes what publishers here are to mend, but what does no harm in a mirrored file: other registries do not look for it, so refusing
 * would lose many of their servers.
 */
export function advise({ pointer, findings }: Place, code: DefinitionProblemCode, problem: string): void {
  const notes = findings.isMirrored ? findings.remarks : findings.problems;
  if (notes.length < MAX_PROBLEMS) notes.push({ pointer, code, problem });
}

const inCamelCase = (key: string) => key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * The members of an object by name, absent ones as places without value; undefined when it is no object. Other members are left out and
 * noted as dropped, for the schema lets later versions add some; only snake_case names of before 2025-09-16 are a problem.
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
    if (names.includes(camel)) report(at(key), "renamed_field", `Since 2025-09-16 this field is called ${camel}.`);
    else if (findings.dropped.length < MAX_PROBLEMS) findings.dropped.push(at(key).pointer);
  }
  return Object.fromEntries(known.map((key) => [key, at(key)])) as Record<Key, Place>;
}

/** What text must be like. Lengths count characters, not UTF-16 units. `form` is tested only when the rest is right. */
export interface TextRule {
  max: number;
  min?: number;
  /** Line breaks and tabs are allowed. */
  lines?: boolean;
  form?: { is: RegExp | ((text: string) => boolean); said: string };
}

/** Text that may be absent. Undefined when it is, or when it is not as it must be, which is then reported. */
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
  if (length < min) report(place, "too_short", `At least ${min} character${min === 1 ? "" : "s"} must stand here.`);
  else if (length > rule.max)
    report(place, "too_long", `At most ${rule.max} characters fit here; these are ${length}.`);
  else if (min > 0 && value.trim() === "") report(place, "too_short", "Blanks alone say nothing: write a text.");
  else if (rule.lines !== true && /[\t\n\r]/.test(value))
    report(place, "unsafe_character", "Line breaks and tabs are not allowed here: write it on one line.");
  else if (rule.form !== undefined && !matches(rule.form.is, value)) report(place, "form", rule.form.said);
  else return value;
  return undefined;
}

const matches = (form: RegExp | ((text: string) => boolean), text: string) =>
  form instanceof RegExp ? form.test(text) : form(text);

/** True when something stands here; reports its absence. */
export function isPresent(place: Place, advice = ""): boolean {
  if (place.value === undefined) report(place, "required", `This field is required.${advice && ` ${advice}`}`);
  return place.value !== undefined;
}

/** Text that must be there. The empty text stands for what was reported: the definition is not used then. */
export function requiredText(place: Place, rule: TextRule): string {
  return (isPresent(place) ? optionalText(place, rule) : undefined) ?? "";
}

/** One of a few words, or absent. */
export function optionalChoice<const Choice extends string>(
  place: Place,
  choices: readonly Choice[],
): Choice | undefined {
  if (place.value === undefined) return undefined;
  const found = choices.find((choice) => choice === place.value);
  if (found === undefined) report(place, "unknown_choice", `This must be one of: ${choices.join(", ")}.`);
  return found;
}

/** True, false, or absent. */
export function optionalFlag(place: Place): boolean | undefined {
  const { value } = place;
  if (value === undefined || typeof value === "boolean") return value;
  report(place, "wrong_type", "This must be true or false, without quotes.");
  return undefined;
}

/** A list that may be absent, each item read by `read`; items for which that gives undefined are left out. */
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
    report(place, "too_many", `At most ${max} entries fit here; these are ${value.length}.`);
    return undefined;
  }
  return value
    .map((item: unknown, index) => read({ value: item, pointer: pointerTo(pointer, index), findings }))
    .filter((item) => item !== undefined);
}

/** Reports each place whose text stands before it in the list. */
export function reportDuplicates(places: readonly Place[], what: string, keyOf = (text: string) => text): void {
  const seen = new Set<string>();
  for (const place of places) {
    if (typeof place.value !== "string") continue;
    const key = keyOf(place.value);
    if (seen.has(key)) advise(place, "duplicate", `There is already ${what} of this name: keep one.`);
    seen.add(key);
  }
}

type Present<T> = { [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key] } & {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
};

/** The object without the members that are undefined, in the order in which they are written. */
export function present<T extends object>(object: T): Present<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}
