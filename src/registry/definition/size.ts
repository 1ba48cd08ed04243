import { report, type Place } from "./place.ts";
import { pointerTo } from "./problem.ts";

/** Largest `server.json`, as UTF-8 bytes of its compact JSON. */
const MAX_DEFINITION_BYTES = 64 * 1024;

const MAX_DEPTH = 32;
/** A JSON text of n bytes has at most n / 2 values, as in `[0,0,…`. */
const MAX_VALUES = MAX_DEFINITION_BYTES / 2;

/**
 * Characters that hide or reorder displayed text, or carry text that only machines read: control characters except line
 * breaks and tabs; bidirectional marks, overrides and isolates (Unicode UAX #9); invisible characters; and tags. The
 * joiners U+200C and U+200D are allowed, because some scripts need them.
 */
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff\u{e0000}-\u{e007f}]/u;

/** UTF-8 bytes of a value's compact JSON. */
export const jsonBytes = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

/**
 * The first check of any input: depth, size, JSON values only, no key that reaches an object's prototype, no deceptive
 * character. False when the rest cannot be checked.
 */
export function isBounded(place: Place): boolean {
  const state = { left: MAX_VALUES, stopped: false };
  walk(place, 0, state);
  if (state.stopped) return false;
  if (jsonBytes(place.value) <= MAX_DEFINITION_BYTES) return true;
  report(place, "too_large", `A definition has at most ${MAX_DEFINITION_BYTES / 1024} KiB. Shorten it.`);
  return false;
}

function walk(place: Place, depth: number, state: { left: number; stopped: boolean }): void {
  const { value, pointer, findings } = place;
  const stop = (code: "too_large" | "too_deep" | "not_json", problem: string) => {
    state.stopped = true;
    report(place, code, problem);
  };
  state.left -= 1;
  if (state.left < 0) return stop("too_large", "The definition has too many values. Shorten it.");
  if (typeof value === "string") return checkText(place, value);
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return undefined;
  if (typeof value !== "object") return stop("not_json", "This is not a JSON value.");
  if (depth >= MAX_DEPTH) return stop("too_deep", `Values may be nested at most ${MAX_DEPTH} levels deep. Flatten it.`);
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!isPlain) return stop("not_json", "This is not a JSON object.");
  for (const [key, child] of Array.isArray(value) ? [...value.entries()] : Object.entries(value)) {
    if (state.stopped) return undefined;
    if (child === undefined && !Array.isArray(value)) continue;
    const at: Place = { value: child, pointer: pointerTo(pointer, key), findings };
    if (key === "__proto__") report(at, "unsafe_key", "This name is not allowed. Choose another one.");
    else if (typeof key === "string") checkText(at, key);
    walk(at, depth + 1, state);
  }
}

function checkText(place: Place, text: string): void {
  if (UNSAFE.test(text) || !text.isWellFormed())
    report(place, "unsafe_character", "Control, invisible and text-direction characters are not allowed: remove them.");
}
