import { randomToken } from "../platform/crypto.ts";
import { hasMark, mark } from "../platform/signed.ts";

const VALUE = /^([\w-]{22})((?:\.[\w-]{43}){1,5})$/;
/** People who share a browser. */
const MAX_ACCOUNTS = 5;

/** As long as browsers keep a cookie (RFC 6265bis §5.5). Seconds. */
export const DEVICE_SECONDS = 400 * 86_400;

/** The id of a browser in which somebody has signed in to the account with this address before, from its cookie. */
export async function knownDevice(
  secrets: readonly string[],
  cookie: string | null | undefined,
  address: string,
): Promise<string | undefined> {
  const { id, marks } = parse(cookie);
  if (id === undefined) return undefined;
  return (await hasMark(secrets, "device", partsOf(id, address), marks)) ? id : undefined;
}

/** The cookie of a browser that now knows the account with this address, too. */
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
