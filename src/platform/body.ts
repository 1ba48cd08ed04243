import { AppError } from "./errors.ts";
import { parseJson } from "./json.ts";

type TooLarge = { kind: "too_large"; limitBytes: number };

/** Why a body was refused. `malformed_json` includes text that is not UTF-8 (RFC 8259 §8.1). */
export type BodyRefusal = TooLarge | { kind: "unsupported_media_type" } | { kind: "malformed_json" };

/** `application/json`, with or without parameters. */
export const JSON_TYPE = /^application\/json\s*(;|$)/i;
/** `application/json` or a type with the suffix `+json` (RFC 6839 §3.1). */
export const ANY_JSON_TYPE = /^application\/(\w+\+)?json\s*(;|$)/i;

export interface JsonRules {
  limitBytes: number;
  /** What `Content-Type` must match; absent: it is not checked. */
  mediaType?: RegExp;
  /** By default a byte order mark is skipped; a reader may do either (RFC 8259 §8.1). */
  byteOrderMark?: "refused";
}

/**
 * Reads the JSON of a request or response, and its text. The checks run in the order of their cost: type, size, text.
 */
export async function readJson(
  message: Request | Response,
  { limitBytes, mediaType, byteOrderMark }: JsonRules,
): Promise<{ value: unknown; text: string } | { refusal: BodyRefusal }> {
  if (mediaType && !mediaType.test(message.headers.get("content-type") ?? ""))
    return { refusal: { kind: "unsupported_media_type" } };
  const bytes = await readBytes(message, limitBytes);
  if (bytes === undefined) return { refusal: { kind: "too_large", limitBytes } };
  const text = strictText(bytes, byteOrderMark === "refused");
  const value = text === undefined ? undefined : parseJson(text);
  if (text === undefined || value === undefined) return { refusal: { kind: "malformed_json" } };
  return { value, text };
}

/**
 * Reads the text of a request or response. Bytes that are not UTF-8 become U+FFFD, as in the parser of forms (URL
 * Standard §5.1).
 */
export async function readText(
  message: Request | Response,
  limitBytes: number,
): Promise<{ text: string } | { refusal: TooLarge }> {
  const bytes = await readBytes(message, limitBytes);
  return bytes === undefined
    ? { refusal: { kind: "too_large", limitBytes } }
    : { text: new TextDecoder().decode(bytes) };
}

/** A body refusal as an error of a JSON API. */
export function bodyError(refusal: BodyRefusal): AppError {
  switch (refusal.kind) {
    case "too_large":
      return new AppError("too_large", `The body has more than ${refusal.limitBytes} bytes.`);
    case "unsupported_media_type":
      return new AppError("unsupported_media_type", "Send Content-Type: application/json.");
    case "malformed_json":
      return new AppError("invalid_request", "The body is not valid JSON.");
    default:
      return refusal satisfies never;
  }
}

/** Reads the bytes; undefined as soon as they exceed the limit, even if Content-Length is wrong. */
async function readBytes(message: Request | Response, limitBytes: number): Promise<Uint8Array | undefined> {
  if (Number(message.headers.get("content-length") ?? 0) > limitBytes) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of message.body ?? []) {
    size += chunk.byteLength;
    if (size > limitBytes) return undefined;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}

/** Decodes UTF-8 strictly. With `ignoreBOM` a byte order mark stays in the text, where JSON does not allow it. */
function strictText(bytes: Uint8Array, ignoreBOM: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM }).decode(bytes);
  } catch {
    return undefined;
  }
}
