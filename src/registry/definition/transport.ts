import { optionalHeaders, optionalVariables, variableValues, type Input, type NamedInput } from "./input.ts";
import { isPresent, members, optionalChoice, present, report, type Place } from "./place.ts";
import { checkUrlTemplate, requiredUrlText, type Variables } from "./url.ts";

/** How to talk to a server that a package starts. */
export type PackageTransport =
  | { type: "stdio" }
  | { type: "streamable-http" | "sse"; url: string; headers?: NamedInput[] };

/** A server that runs somewhere already. `url` may contain `{name}` of `variables`. */
export interface Remote {
  type: "streamable-http" | "sse";
  url: string;
  headers?: NamedInput[];
  variables?: Record<string, Input>;
}

const REMOTE_TYPES = ["streamable-http", "sse"] as const;

/** A remote: a public https URL whichever of the file's own values its variables take. */
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

/** The transport of a package: stdio, or a URL on the user's machine or a public one. */
export function readPackageTransport(place: Place, variables: Variables, allow: readonly string[]): PackageTransport {
  if (!isPresent(place, 'Mostly it is {"type": "stdio"}.')) return { type: "stdio" };
  const at = members(place, ["type", "url", "headers"]);
  const type = at && isPresent(at.type) ? optionalChoice(at.type, ["stdio", ...REMOTE_TYPES]) : undefined;
  if (at === undefined || type === undefined) return { type: "stdio" };
  if (type === "stdio") {
    for (const field of [at.url, at.headers]) {
      if (!isEmpty(field.value))
        report(field, "forbidden_field", "A server on stdio has no URL and no headers: remove it.");
    }
    return { type };
  }
  const url = requiredUrlText(at.url);
  if (url !== "") checkUrlTemplate(at.url, url, variables, { kind: "local", allow });
  return { type, url, ...present({ headers: optionalHeaders(at.headers) }) };
}

/** The official registry lets an empty URL or list stand for none. */
const isEmpty = (value: unknown) => value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
