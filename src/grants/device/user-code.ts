/** Consonants that are not taken for one another, and make no words (RFC 8628 §6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const LENGTH = 8;
const USER_CODE = new RegExp(`^[${LETTERS}]{${LENGTH}}$`);
/** The largest multiple of the number of letters that a byte can hold: bytes from there on would favour some letters. */
const FAIR_BYTES = 240;

/** A code for a person to type, such as `WDJB-MJHT`: one of 25 thousand million. */
export function newUserCode(): string {
  let letters = "";
  while (letters.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH)))
      if (byte < FAIR_BYTES && letters.length < LENGTH) letters += LETTERS[byte % LETTERS.length] ?? "";
  }
  return grouped(letters);
}

/** What somebody typed as the code that was meant, in whatever case and with whatever between the letters; undefined when it can be none. */
export function readUserCode(typed: string): string | undefined {
  if (typed.length > 40) return undefined;
  const letters = typed.toUpperCase().replaceAll(/[\s\p{P}]/gu, "");
  return USER_CODE.test(letters) ? grouped(letters) : undefined;
}

const grouped = (letters: string) => `${letters.slice(0, LENGTH / 2)}-${letters.slice(LENGTH / 2)}`;
