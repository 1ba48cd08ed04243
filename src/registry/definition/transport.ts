import { optionalHeaders, optionalVariables, variableValues, type Input, type NamedInput } from "./input.ts";
import { isPresent, members, optionalChoice, present, report, type Place } from "./place.ts";
import { checkUrlTemplate, requiredUrlText, type Variables } from "./url.ts";

/** How to connect to a server that a package starts. */
export type PackageTransport =
  | { type: "stdio" }
  | { type: "streamable-http" | "sse"; url: string; headers?: NamedInput[] };

/** A server that is already running somewhere. `url` may contain `{name}` for a name in `variables`. */
export interface Remote {
  type: "streamable-http" | "sse";
  url: string;
  headers?: NamedInput[];
  variables?: Record<string, Input>;
}

const REMOTE_TYPES = ["streamable-http", "sse"] as const;

/**
 * Reads a remote. Its URL must be a public https URL for all values that the file itself supplies for the variables.
 */
export function readRemote(item: Place, allow: readonly string[]): Remote | undefined {
  const at = members(item, ["type", "url", "headers", "variables"]);
  if (at === undefined) return undefined;
  const type = isPresent(at.type) ? optionalChoice(at.type, REMOTE_TYPES) : undefined;
  const url = requiredUrlText(at.url);
  const headers = optionalHeaders(at.headers);
  const variables = optionalVariables(at.variables);
  if (url !== "") checkUrlTemplate(at.url, url, variableValues(variables), { kind: "remote", allow });
  return { type: type ?? "streamable-http", url, ...present({ headers, variables }) };
}

/** Reads the transport of a package: stdio, or a URL that is public or on the user's machine. */
export function readPackageTransport(place: Place, variables: Variables, allow: readonly string[]): PackageTransport {
  if (!isPresent(place, 'For most packages it is {"type": "stdio"}.')) return { type: "stdio" };
  const at = members(place, ["type", "url", "headers"]);
  const type = at && isPresent(at.type) ? optionalChoice(at.type, ["stdio", ...REMOTE_TYPES]) : undefined;
  if (at === undefined || type === undefined) return { type: "stdio" };
  if (type === "stdio") {
    for (const field of [at.url, at.headers]) {
      if (!isEmpty(field.value))
        report(field, "forbidden_field", "A stdio server has no URL and no headers. Remove this.");
    }
    return { type };
  }
  const url = requiredUrlText(at.url);
  if (url !== "") checkUrlTemplate(at.url, url, variables, { kind: "local", allow });
  return { type, url, ...present({ headers: optionalHeaders(at.headers) }) };
}

/** The official registry accepts an empty URL or list in place of an absent one. */
const isEmpty = (value: unknown) => value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
