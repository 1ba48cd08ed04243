/** Which names are mirrored: those that match a pattern of `allow` and none of `deny`. */
export interface NameRules {
  allow: readonly string[];
  deny: readonly string[];
}

const MAX_LENGTH = 200;
/** Bounds the backtracking of Postgres' `like`. A rule that needs more can use several patterns. */
const MAX_STARS = 3;
const FORM = /^[A-Za-z0-9._/*-]+$/;

/** Whether a text is a name pattern: characters of names, and `*` for any text, at most three times. */
export const isNamePattern = (text: string): boolean =>
  text.length <= MAX_LENGTH && FORM.test(text) && text.split("*").length - 1 <= MAX_STARS;

/** Whether a name is mirrored. Case is ignored: a rule for `com.example/*` also applies to `Com.Example/*`. */
export const isWanted = (name: string, { allow, deny }: NameRules): boolean =>
  allow.some((pattern) => fits(name, pattern)) && !deny.some((pattern) => fits(name, pattern));

/**
 * Matches the parts between stars, each at its first possible position, so that a match takes one pass over the name.
 */
function fits(name: string, pattern: string): boolean {
  const text = name.toLowerCase();
  const [first = "", ...rest] = pattern.toLowerCase().split("*");
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** The pattern for Postgres' `like`, to be compared with names in lower case. */
export const likePattern = (pattern: string): string =>
  pattern
    .toLowerCase()
    .replaceAll(/[\\%_]/g, String.raw`\$&`)
    .replaceAll("*", "%");
