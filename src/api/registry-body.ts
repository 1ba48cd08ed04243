import type { Context } from "hono";
import { ANY_JSON_TYPE, bodyError, readJson } from "../platform/body.ts";
import type { HttpEnv } from "../platform/http.ts";

const MAX_JSON_BYTES = 262_144;

/** The body and its text; `value` is undefined when it is not JSON. */
export async function jsonOf(c: Context<HttpEnv>): Promise<{ value: unknown; text: string }> {
  const body = await readJson(c.req.raw, { limitBytes: MAX_JSON_BYTES, mediaType: ANY_JSON_TYPE });
  if (!("refusal" in body)) return body;
  if (body.refusal.kind === "malformed_json") return { value: undefined, text: "" };
  throw bodyError(body.refusal);
}
