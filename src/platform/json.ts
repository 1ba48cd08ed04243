import { base64url } from "jose";

/** Whether a value is a JSON object: not an array, not null. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value of a JSON text; undefined when it is not JSON. No JSON text has the value undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The object that a JSON text holds; undefined when it holds anything else. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

/** A value as JSON in unpadded base64url, safe in a URL, a header or a form field. */
export const packJson = (value: unknown): string => base64url.encode(JSON.stringify(value));

/** The value in a text of {@link packJson}; undefined for text that is not base64url of JSON in UTF-8. */
export function unpackJson(text: string): unknown {
  // jose also accepts padding and white space.
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    const bytes = base64url.decode(text);
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
