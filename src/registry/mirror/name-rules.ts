/** Which names are mirrored: those that fit one of `allow` and none of `deny`. */
export interface NameRules {
  allow: readonly string[];
  deny: readonly string[];
}

const MAX_LENGTH = 200;
/** Postgres tries the places of each; more of them in one pattern say nothing that two patterns could not. */
const MAX_STARS = 3;
const FORM = /^[A-Za-z0-9._/*-]+$/;

/** Whether text is a pattern of names: what names consist of, and `*` for any text, at most three times. */
export const isNamePattern = (text: string): boolean =>
  text.length <= MAX_LENGTH && FORM.test(text) && text.split("*").length - 1 <= MAX_STARS;

/** Whether a name is to be mirrored. Case makes no difference: a rule against `com.example/*` is one against `Com.Example/*`. */
export const isWanted = (name: string, { allow, deny }: NameRules): boolean =>
  allow.some((pattern) => fits(name, pattern)) && !deny.some((pattern) => fits(name, pattern));

/** The parts between stars, each at the first place where it fits: no pattern takes more than one pass over the name. */
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

/** The same pattern for Postgres' `like`, where names are in lower case. */
export const likePattern = (pattern: string): string =>
  pattern
    .toLowerCase()
    .replaceAll(/[\\%_]/g, String.raw`\$&`)
    .replaceAll("*", "%");
