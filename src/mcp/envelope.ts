import { readBody } from "../platform/body.ts";
import type { Refusal } from "./refusal.ts";

/** The JSON-RPC message of one request. Decisions read names from here, never from the mirrored `Mcp-*` headers. */
export interface Envelope {
  /** The parsed message: the same value that is checked is served. */
  message: Readonly<Record<string, unknown>>;
  method: string;
  /** Null for a notification. */
  id: string | number | null;
  /** Tool or prompt name, or resource URI, where the method has one. */
  target: string | null;
}

export const MAX_BODY_BYTES = 1_048_576;
const JSON_MEDIA_TYPE = /^application\/json\s*(;|$)/i;

/** Reads one JSON-RPC message within the size limit. Answers refusals in the order in which they cost: headers, size, text, shape. */
export async function readEnvelope(request: Request): Promise<Envelope | { refusal: Refusal }> {
  if (!JSON_MEDIA_TYPE.test(request.headers.get("content-type") ?? ""))
    return { refusal: { kind: "unsupported_media_type" } };
  const bytes = await readBody(request, MAX_BODY_BYTES);
  if (bytes === null) return { refusal: { kind: "too_large", limitBytes: MAX_BODY_BYTES } };
  let body: unknown;
  try {
    // `ignoreBOM` keeps a byte order mark in the text, where JSON does not allow it (RFC 8259 §8.1).
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return { refusal: { kind: "malformed_json" } };
  }
  return toEnvelope(body) ?? { refusal: { kind: "not_a_single_message" } };
}

function toEnvelope(body: unknown): Envelope | null {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
  const message = body as Record<string, unknown>;
  const { jsonrpc, method, id, params } = message;
  if (jsonrpc !== "2.0" || typeof method !== "string" || method === "") return null;
  if (id !== undefined && typeof id !== "string" && typeof id !== "number") return null;
  if (params !== undefined && (typeof params !== "object" || params === null || Array.isArray(params))) return null;
  const { name, uri } = (params ?? {}) as { name?: unknown; uri?: unknown };
  const target = method === "resources/read" ? uri : name;
  return { message, method, id: id ?? null, target: typeof target === "string" ? target : null };
}
