import { equalsInConstantTime, hmac, randomToken } from "../platform/crypto.ts";

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
  const { id, macs } = parse(cookie);
  for (const secret of id === undefined ? [] : secrets) {
    const expected = await mac(secret, id ?? "", address);
    if (macs.some((given) => equalsInConstantTime(given, expected))) return id;
  }
  return undefined;
}

/** The cookie of a browser that now knows the account with this address, too. */
export async function rememberAccount(
  secrets: readonly string[],
  cookie: string | null | undefined,
  address: string,
): Promise<string> {
  const { id = randomToken(16), macs } = parse(cookie);
  const added = await mac(secrets[0] ?? "", id, address);
  return [id, added, ...macs.filter((known) => known !== added).slice(0, MAX_ACCOUNTS - 1)].join(".");
}

function parse(cookie: string | null | undefined): { id?: string; macs: string[] } {
  const [, id, macs = ""] = VALUE.exec(cookie ?? "") ?? [];
  return id === undefined ? { macs: [] } : { id, macs: macs.slice(1).split(".") };
}

const mac = (secret: string, id: string, address: string) =>
  hmac(secret, ["device", id, address.toLowerCase()].join("\n"));
