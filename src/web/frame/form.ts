import { z } from "zod";
import { readText } from "../../platform/body.ts";
import { signed } from "../../platform/signed.ts";

const MAX_FORM_BYTES = 65_536;
const FORM_SECONDS = 3600;
const CONSENT_SECONDS = 600;
const FORM_MEDIA_TYPE = /^application\/x-www-form-urlencoded\s*(;|$)/i;
const COOKIE_VALUE = /^[\w-]{22}$/;
/** A token without content: it proves that we issued it for this form and this cookie, and that it has not expired. */
const formToken = signed("form", z.null());

/** Name of the hidden field that carries the token. */
export const TOKEN_FIELD = "form";

/** Why a form is not accepted. */
export type FormRefusal = "foreign" | "media_type" | "too_large" | "expired";

/**
 * The cookie half of the double-submit token; with the `__Host-` prefix no other host of the site can set it (RFC
 * 6265bis §4.1.3.2).
 */
export const formCookieName = (secure: boolean) => (secure ? "__Host-mrg.form" : "mrg.form");

export const isFormCookie = (value: string | undefined): value is string =>
  value !== undefined && COOKIE_VALUE.test(value);

/** The field half, bound to the cookie and to one form. `now` is in milliseconds. */
export async function issueFormToken(
  secrets: readonly string[],
  cookie: string,
  purpose: string,
  now: number,
): Promise<string> {
  const seconds = purpose === "consent" ? CONSENT_SECONDS : FORM_SECONDS;
  return formToken.sign(secrets, null, now + seconds * 1000, [purpose, cookie]);
}

/** Whether a token belongs to this cookie and form and is still valid, under any of the configured secrets. */
export async function isFormToken(
  secrets: readonly string[],
  cookie: string,
  purpose: string,
  token: string,
  now: number,
): Promise<boolean> {
  return (await formToken.read(secrets, token, now, [purpose, cookie])) !== undefined;
}

/**
 * Whether a post comes from one of our own pages. They are sent with `Referrer-Policy: no-referrer`, under which
 * browsers write `Origin: null` (Fetch §3.2, "append a request Origin header"); then we rely on `Sec-Fetch-Site`, which
 * no page can set.
 */
export function isOwnForm(headers: Headers, origin: string): boolean {
  const from = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  if (from === origin) return site !== "cross-site";
  if (from === "null") return site === "same-origin";
  return from === null && (site === null || site === "same-origin" || site === "none");
}

interface FormCheck {
  origin: string;
  secrets: readonly string[];
  cookie: string | undefined;
  purpose: string;
  now: number;
}

/** Reads a posted form after all checks, cheap checks first. */
export async function acceptForm(
  request: Request,
  { origin, secrets, cookie, purpose, now }: FormCheck,
): Promise<{ fields: URLSearchParams } | { refusal: FormRefusal }> {
  if (!isOwnForm(request.headers, origin)) return { refusal: "foreign" };
  if (!FORM_MEDIA_TYPE.test(request.headers.get("content-type") ?? "")) return { refusal: "media_type" };
  const body = await readText(request, MAX_FORM_BYTES);
  if ("refusal" in body) return { refusal: "too_large" };
  const fields = new URLSearchParams(body.text);
  const token = fields.get(TOKEN_FIELD) ?? "";
  if (!isFormCookie(cookie) || !(await isFormToken(secrets, cookie, purpose, token, now)))
    return { refusal: "expired" };
  return { fields };
}
