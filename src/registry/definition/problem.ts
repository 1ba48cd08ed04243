/** What can be wrong with a `server.json`; stable, for programs. The sentence beside it is for people. */
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

/** One thing to mend: where (RFC 6901 JSON Pointer), which, and what is wrong and what to do. */
export interface DefinitionProblem {
  pointer: string;
  code: DefinitionProblemCode;
  problem: string;
}

/** More than this nobody reads at once; the answer stays small whatever was sent. */
export const MAX_PROBLEMS = 50;

/**
 * What a check collects on its way: what to mend; what another registry has let pass, when the file is a mirrored one; and where something
 * was left out because no field of that name is known.
 */
export interface Findings {
  isMirrored: boolean;
  problems: DefinitionProblem[];
  remarks: DefinitionProblem[];
  dropped: string[];
}

/** The pointer of a member or an item (RFC 6901 §3: `~` and `/` are escaped). */
export function pointerTo(parent: string, key: string | number): string {
  return `${parent}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
