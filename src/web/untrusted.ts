/** Characters that do not show, or that change how the text around them shows: controls, zero-width and bidirectional ones. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]+/gu;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/** Text that somebody else chose, made fit for one line of a page: nothing invisible, at most `max` characters. Escaping comes on top. */
export function untrustedText(text: string, max = 80): string {
  const visible = text.replaceAll(DECEPTIVE, " ").replaceAll(STACKED_MARKS, "$1").replaceAll(/\s+/g, " ").trim();
  const characters = Array.from(visible);
  return characters.length <= max ? visible : `${characters.slice(0, max - 1).join("")}…`;
}
