import { randomToken } from "../platform/crypto.ts";
import { hasMark, mark } from "../platform/signed.ts";

const VALUE = /^([\w-]{22})((?:\.[\w-]{43}){1,5})$/;
/** Accounts that one browser remembers: people share browsers. */
const MAX_ACCOUNTS = 5;

/** The longest time for which browsers keep a cookie (RFC 6265bis §5.5), in seconds. */
export const DEVICE_SECONDS = 400 * 86_400;

/**
 * The id of the browser, from its cookie, if the account with this address has signed in there before; else undefined.
 */
export async function knownDevice(
  secrets: readonly string[],
  cookie: string | null | undefined,
  address: string,
): Promise<string | undefined> {
  const { id, marks } = parse(cookie);
  if (id === undefined) return undefined;
  return (await hasMark(secrets, "device", partsOf(id, address), marks)) ? id : undefined;
}

/** Returns the cookie of this browser with the account added. Beyond {@link MAX_ACCOUNTS} the oldest is dropped. */
export async function rememberAccount(
  secrets: readonly string[],
  cookie: string | null | undefined,
  address: string,
): Promise<string> {
  const { id = randomToken(16), marks } = parse(cookie);
  const added = await mark(secrets, "device", partsOf(id, address));
  return [id, added, ...marks.filter((known) => known !== added).slice(0, MAX_ACCOUNTS - 1)].join(".");
}

function parse(cookie: string | null | undefined): { id?: string; marks: string[] } {
  const [, id, marks = ""] = VALUE.exec(cookie ?? "") ?? [];
  return id === undefined ? { marks: [] } : { id, marks: marks.slice(1).split(".") };
}

const partsOf = (id: string, address: string) => [id, address.toLowerCase()];
