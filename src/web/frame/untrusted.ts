/** Characters that do not show, or that change how the text around them shows: controls, zero-width and bidirectional ones. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]+/gu;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/** Text of one or more words without what does not show or changes how the rest shows; a space stands for each such run. Spaces stay as they are. */
export const visibleText = (text: string): string => text.replaceAll(DECEPTIVE, " ").replaceAll(STACKED_MARKS, "$1");

/** Text that somebody else chose, made fit for one line of a page: nothing invisible, at most `max` characters. Escaping comes on top. */
export function untrustedText(text: string, max = 80): string {
  const visible = visibleText(text).replaceAll(/\s+/g, " ").trim();
  const characters = Array.from(visible);
  return characters.length <= max ? visible : `${characters.slice(0, max - 1).join("")}…`;
}
