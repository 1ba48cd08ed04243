import { ANY_JSON_TYPE, bodyError, readJson, type JsonRules } from "../platform/body.ts";

/** The body rules of a route that declares none. */
export const BODY_RULES: JsonRules = { limitBytes: 262_144, mediaType: ANY_JSON_TYPE };

/** A JSON body and its text; `value` is undefined when the text is not JSON. */
export interface JsonText {
  value: unknown;
  text: string;
}

/** Reads a JSON body. Throws 415 for a wrong media type and 413 for a body that is too large. */
export async function readJsonText(request: Request, rules: JsonRules): Promise<JsonText> {
  const body = await readJson(request, rules);
  if (!("refusal" in body)) return body;
  if (body.refusal.kind === "malformed_json") return { value: undefined, text: "" };
  throw bodyError(body.refusal);
}

/** Reads the value of a JSON body. Throws 400 when it is not JSON, otherwise like {@link readJsonText}. */
export async function readJsonValue(request: Request, rules: JsonRules): Promise<unknown> {
  const body = await readJson(request, rules);
  if ("refusal" in body) throw bodyError(body.refusal);
  return body.value;
}
