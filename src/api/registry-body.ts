import type { Context } from "hono";
import { readBody } from "../platform/body.ts";
import { AppError } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";

const MAX_JSON_BYTES = 262_144;

/** The body and its text; `value` is undefined when it is not JSON. */
export async function jsonOf(c: Context<HttpEnv>): Promise<{ value: unknown; text: string }> {
  if (!/^application\/(\w+\+)?json\b/i.test(c.req.header("content-type") ?? ""))
    throw new AppError("unsupported_media_type", "Send Content-Type: application/json.");
  const bytes = await readBody(c.req.raw, MAX_JSON_BYTES);
  if (bytes === null) throw new AppError("too_large", `The body is larger than ${MAX_JSON_BYTES} bytes.`);
  const text = new TextDecoder().decode(bytes);
  try {
    return { value: JSON.parse(text), text };
  } catch {
    return { value: undefined, text };
  }
}
