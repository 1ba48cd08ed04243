/**
 * Invisible characters, and characters that change how the text around them is displayed: controls, zero-width and
 * bidirectional ones.
 */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]+/gu;
const STACKED_MARKS = /(\p{M}{2})\p{M}+/gu;

/**
 * The text with each run of {@link DECEPTIVE} characters replaced by a space and stacked marks cut off. Spaces stay as
 * they are.
 */
export const visibleText = (text: string): string => text.replaceAll(DECEPTIVE, " ").replaceAll(STACKED_MARKS, "$1");

/**
 * Text that somebody else chose, for one line of a page: without invisible characters, at most `max` characters. The
 * caller still has to escape it.
 */
export function untrustedText(text: string, max = 80): string {
  const visible = visibleText(text).replaceAll(/\s+/g, " ").trim();
  const characters = Array.from(visible);
  return characters.length <= max ? visible : `${characters.slice(0, max - 1).join("")}…`;
}
