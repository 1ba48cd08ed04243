/** Consonants that are not easily confused and form no words (RFC 8628 §6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const LENGTH = 8;
const USER_CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`);
/** The largest multiple of the number of letters that fits in a byte. Larger bytes would favor some letters. */
const FAIR_BYTES = 240;

/** A code for a person to type, such as `WDJB-MJHT`: one of 25.6 billion. */
export function newUserCode(): string {
  let letters = "";
  while (letters.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH)))
      if (byte < FAIR_BYTES && letters.length < LENGTH) letters += LETTERS[byte % LETTERS.length] ?? "";
  }
  return grouped(letters);
}

/** Normalizes a typed code: case, spaces and punctuation do not matter. Undefined when the text cannot be a code. */
export function readUserCode(typed: string): string | undefined {
  if (typed.length > 40) return undefined;
  const letters = typed.toUpperCase().replaceAll(/[\s\p{P}]/gu, "");
  return USER_CODE.test(letters) ? grouped(letters) : undefined;
}

const grouped = (letters: string) => `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
