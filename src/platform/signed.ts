import { base64url } from "jose";
import type { z } from "zod";
import { equalsInConstantTime, hmac } from "./crypto.ts";
import { packJson, unpackJson } from "./json.ts";

/**
 * The purpose of a signed value or a mark. It is part of what is signed: a value for one purpose is not valid
 * for another.
 *
 * | purpose | what | bound to |
 * |---|---|---|
 * | `form` | signed: the hidden field of a form | name of the form, form cookie |
 * | `link.reset`, `link.address` | signed: the token of a link in an email | |
 * | `publisher` | signed: what `mcp-publisher` publishes with | |
 * | `browser` | mark: a link was asked for in this browser | token of the link, form cookie |
 * | `device` | mark: somebody signed in to an account in this browser | id of the browser, email |
 * | `email` | mark: stands for an email in counters | email |
 * | `namespace` | mark: what an organization publishes to claim a namespace | organization, namespace |
 */
export type Purpose =
  | "form"
  | "link.reset"
  | "link.address"
  | "publisher"
  | "browser"
  | "device"
  | "email"
  | "namespace";

/** BETTER_AUTH_SECRETS, newest first: the newest signs, all verify. */
type Secrets = readonly string[];

/**
 * A kind of value that we hand out and trust when it comes back. Its holder can read it, so it must not contain
 * secrets.
 */
export interface Signed<T> {
  /**
   * Returns the value as text `payload.signature` in base64url. `expiresAt` is epoch milliseconds; reading it needs the
   * same `bound`.
   */
  sign: (secrets: Secrets, value: T, expiresAt: number, bound?: readonly string[]) => Promise<string>;
  /**
   * Returns the value if the text is ours, of this kind, with the same `bound` and not expired; otherwise undefined.
   * `now` is epoch milliseconds.
   */
  read: (secrets: Secrets, text: string, now: number, bound?: readonly string[]) => Promise<T | undefined>;
}

const MAX_LENGTH = 8_192;
const FORM = /^([\w-]+)\.([\w-]{43})$/;

/** Defines a kind of signed value. The schema checks what is read: another release may have signed it. */
export function signed<T>(purpose: Purpose, schema: z.ZodType<T>): Signed<T> {
  return {
    sign: async (secrets, value, expiresAt, bound = []) => {
      const payload = packJson([expiresAt, value]);
      return `${payload}.${await mark(secrets, purpose, [...bound, payload])}`;
    },
    read: async (secrets, text, now, bound = []) => {
      const [, payload, signature] = text.length <= MAX_LENGTH ? (FORM.exec(text) ?? []) : [];
      if (payload === undefined || signature === undefined) return undefined;
      if (!(await hasMark(secrets, purpose, [...bound, payload], [signature]))) return undefined;
      const content = unpackJson(payload);
      const [expiresAt, value]: unknown[] = Array.isArray(content) ? content : [];
      if (typeof expiresAt !== "number" || expiresAt <= now) return undefined;
      return schema.safeParse(value).data;
    },
  };
}

/**
 * A keyed hash of texts for one purpose: HMAC-SHA-256 under the newest secret, in base64url, 43 characters. It never
 * expires.
 */
export async function mark(secrets: Secrets, purpose: Purpose, parts: readonly string[]): Promise<string> {
  const [newest] = secrets;
  if (newest === undefined) throw new Error("there is no secret to sign with");
  return markUnder(newest, purpose, parts);
}

/** Whether one of the candidates is the {@link mark} of these texts under any of the secrets. */
export async function hasMark(
  secrets: Secrets,
  purpose: Purpose,
  parts: readonly string[],
  candidates: readonly string[],
): Promise<boolean> {
  for (const secret of secrets) {
    const expected = await markUnder(secret, purpose, parts);
    if (candidates.some((candidate) => equalsInConstantTime(candidate, expected))) return true;
  }
  return false;
}

/**
 * JSON separates the texts whatever they contain. It begins with a bracket, unlike everything that Better Auth signs
 * with the same secret (session tokens, URL-encoded queries, JWTs).
 */
const markUnder = async (secret: string, purpose: Purpose, parts: readonly string[]): Promise<string> =>
  base64url.encode(await hmac(secret, JSON.stringify([purpose, ...parts])));
