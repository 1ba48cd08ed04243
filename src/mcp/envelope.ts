import { JSON_TYPE, readJson } from "../platform/body.ts";
import { isObject } from "../platform/json.ts";
import type { Refusal } from "./refusal.ts";

/** The JSON-RPC message of one request. Decisions use names from here, never from the mirrored `Mcp-*` headers. */
export interface Envelope {
  /** The parsed message. The value that was checked is the value that is served. */
  message: Readonly<Record<string, unknown>>;
  method: string;
  /** Null for a notification. */
  id: string | number | null;
  /** Tool or prompt name, or resource URI, where the method has one. */
  target: string | null;
}

export const MAX_BODY_BYTES = 1_048_576;

/** Reads one JSON-RPC message within the size limit. */
export async function readEnvelope(request: Request): Promise<Envelope | { refusal: Refusal }> {
  const rules = { limitBytes: MAX_BODY_BYTES, mediaType: JSON_TYPE, byteOrderMark: "refused" } as const;
  const body = await readJson(request, rules);
  if ("refusal" in body) return body;
  return toEnvelope(body.value) ?? { refusal: { kind: "not_a_single_message" } };
}

function toEnvelope(body: unknown): Envelope | null {
  if (!isObject(body)) return null;
  const { jsonrpc, method, id } = body;
  if (jsonrpc !== "2.0" || typeof method !== "string" || method === "") return null;
  if (id !== undefined && typeof id !== "string" && typeof id !== "number") return null;
  const params = body["params"] ?? {};
  if (!isObject(params)) return null;
  const { name, uri } = params;
  const target = method === "resources/read" ? uri : name;
  return {
    message: body["params"] === null ? { ...body, params } : body,
    method,
    id: id ?? null,
    target: typeof target === "string" ? target : null,
  };
}
