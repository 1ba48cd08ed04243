/** Codes of problems in a `server.json`: stable, for programs. The `problem` text is for people. */
export type DefinitionProblemCode =
  | "not_json"
  | "too_large"
  | "too_deep"
  | "unsafe_key"
  | "unsafe_character"
  | "renamed_field"
  | "required"
  | "wrong_type"
  | "too_short"
  | "too_long"
  | "too_many"
  | "form"
  | "unknown_choice"
  | "unsupported_schema"
  | "version_reserved"
  | "version_range"
  | "url_form"
  | "url_not_https"
  | "url_credentials"
  | "url_not_public"
  | "template_form"
  | "undefined_variable"
  | "duplicate"
  | "forbidden_field"
  | "reserved_header"
  | "default_form"
  | "default_not_a_choice"
  | "secret_published"
  | "value_repeats_name"
  | "shell_characters"
  | "shell_runtime";

/**
 * One problem to fix: its place (RFC 6901 JSON Pointer), its code, and a text that says what is wrong and what to do.
 */
export interface DefinitionProblem {
  pointer: string;
  code: DefinitionProblemCode;
  problem: string;
}

/** Most problems that one check reports. It bounds the size of the answer, whatever the input. */
export const MAX_PROBLEMS = 50;

/**
 * What a check collects: problems to fix; remarks, which are problems that are tolerated in a mirrored file; and the
 * pointers of members that were dropped because their names are unknown.
 */
export interface Findings {
  isMirrored: boolean;
  problems: DefinitionProblem[];
  remarks: DefinitionProblem[];
  dropped: string[];
}

/** The JSON Pointer of a member or an item (RFC 6901 §3: `~` and `/` are escaped). */
export function pointerTo(parent: string, key: string | number): string {
  return `${parent}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
