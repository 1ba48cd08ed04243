import { parseObject } from "../../platform/json.ts";

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const LOOPBACK = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?]|$)/;

/**
 * For how many seconds a metadata document is fresh by its cache headers (RFC 9111 §5.2): a minute to a day; an hour
 * without any.
 */
export function freshSeconds(headers: Headers): number {
  const directives = new Map(
    (headers.get("cache-control") ?? "").split(",").map((part) => {
      const [name = "", value = ""] = part.trim().toLowerCase().split("=");
      return [name, value.replaceAll('"', "")];
    }),
  );
  if (["no-store", "no-cache", "private"].some((name) => directives.has(name))) return MINUTE;
  const age = directives.get("s-maxage") ?? directives.get("max-age");
  if (age === undefined) return HOUR;
  return /^\d{1,10}$/.test(age) ? Math.min(DAY, Math.max(MINUTE, Number(age))) : MINUTE;
}

/**
 * A metadata document in the form that the framework accepts. Sets the application type `native` for loopback redirects
 * when the document has none (RFC 8252 §7.3). Text that is not a JSON object is returned unchanged for the framework to
 * refuse.
 */
export function compatibleDocument(text: string): string {
  const document = parseObject(text);
  if (document === undefined) return text;
  const { application_type: type, redirect_uris: uris } = document;
  const isNative =
    type === undefined && Array.isArray(uris) && uris.some((uri) => typeof uri === "string" && LOOPBACK.test(uri));
  return isNative ? JSON.stringify({ ...document, application_type: "native" }) : text;
}
