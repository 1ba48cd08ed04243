import { publicUrlProblem } from "../../platform/outbound/public-url.ts";
import { optionalText, report, requiredText, type Place, type TextRule } from "./place.ts";
import type { DefinitionProblemCode } from "./problem.ts";

const MAX_URL_LENGTH = 2048;
/** Bounds the number of URLs to check: each value that the file supplies for a variable is tried. */
const MAX_VARIABLES = 8;
/** Excludes characters that a URL must percent-encode (RFC 3986 §2), and those that URL parsers silently correct. */
const PLAIN = /^[^\s\\<>"`^|]+$/;
const urlRule: TextRule = {
  max: MAX_URL_LENGTH,
  form: { is: PLAIN, said: "A URL must not contain spaces, quotes, < > \\ ^ or |." },
};

/**
 * Reports a text that is not a valid link for pages: an absolute https URL without credentials. Private hosts are
 * allowed.
 */
function checkLink(place: Place, text: string): void {
  const url = /[{}]/.test(text) ? null : URL.parse(text);
  if (url === null) return report(place, "url_form", "This must be an absolute URL, such as https://example.com/page.");
  if (url.protocol !== "https:" || !text.startsWith("https://"))
    return report(place, "url_not_https", "Only URLs that begin with https:// are allowed.");
  if (url.username !== "" || url.password !== "")
    report(place, "url_credentials", "A URL must not carry a name or password.");
}

/** Reads an https URL that pages link to; undefined when it is absent. */
export function optionalLink(place: Place, max = MAX_URL_LENGTH): string | undefined {
  const text = optionalText(place, { ...urlRule, max });
  if (text !== undefined) checkLink(place, text);
  return text;
}

/** Reads a required https URL that pages link to. */
export function requiredLink(place: Place, max = MAX_URL_LENGTH): string {
  const text = requiredText(place, { ...urlRule, max });
  if (text !== "") checkLink(place, text);
  return text;
}

/**
 * Reports a URL that is not public https; see {@link publicUrlProblem}. `allow` lists `host:port` that may be private.
 */
export function checkPublicUrl(place: Place, text: string, allow: readonly string[] = []): void {
  const url = /[{}]/.test(text) ? null : URL.parse(text);
  const fault = url === null ? FORM_FAULT : publicFault(url, allow);
  if (fault !== undefined) report(place, ...fault);
}

/** The text of a URL that the caller checks further; empty after a problem was reported. */
export const requiredUrlText = (place: Place) => requiredText(place, urlRule);

type Fault = readonly [code: DefinitionProblemCode, problem: string];
const FORM_FAULT: Fault = ["url_form", "This must be an absolute URL, such as https://mcp.example.com/mcp."];

function publicFault(url: URL, allow: readonly string[]): Fault | undefined {
  const said = publicUrlProblem(url, allow);
  if (said === undefined) return undefined;
  if (url.username !== "" || url.password !== "")
    return ["url_credentials", "A URL must not carry a name or password: declare a header instead."];
  if (url.protocol !== "https:") return ["url_not_https", "Only https is allowed here."];
  return ["url_not_public", `This URL is not public: ${said}.`];
}

/** The names in `{curly braces}`, each once; undefined when braces are unbalanced or empty. */
function templateNames(text: string): string[] | undefined {
  if (/[{}]/.test(text.replaceAll(/\{[^{}\s]+\}/g, ""))) return undefined;
  return [...new Set([...text.matchAll(/\{([^{}\s]+)\}/g)].map(([, name = ""]) => name))];
}

/** For each variable of a template, the values that the file itself supplies (fixed value, default, choices). */
export type Variables = ReadonlyMap<string, readonly string[]>;

/**
 * Allowed hosts. `remote`: public https hosts. `local`: also the user's own machine, for a package that is started
 * there.
 */
export interface Reach {
  kind: "remote" | "local";
  allow: readonly string[];
}

const ANY_HOST = "variable.example.com";
const ANY_PORT = "8443";
const LOOPBACK = /^(localhost|([^.]+\.)*localhost|127(\.\d+){3}|0\.0\.0\.0|\[::1?\])$/;

/**
 * Checks a URL template: every variable is defined, and for all values that the file itself supplies the URL leads to
 * an allowed host. Values that users supply are not known here; a client must check again before it connects.
 */
export function checkUrlTemplate(place: Place, text: string, variables: Variables, reach: Reach): void {
  const names = templateNames(text);
  if (names === undefined)
    return report(place, "template_form", "Braces must enclose the name of one variable: {name}.");
  if (names.length > MAX_VARIABLES)
    return report(place, "too_many", `A URL has at most ${MAX_VARIABLES} variables. Replace some by fixed text.`);
  const unknown = names.filter((name) => !variables.has(name));
  if (unknown.length > 0) {
    const where = reach.kind === "remote" ? "variables" : "environmentVariables or the arguments";
    return report(place, "undefined_variable", `Define ${unknown.join(", ")} in ${where}, or write a fixed URL.`);
  }
  if (!/^https?:\/\//.test(text))
    return /^[a-z][a-z0-9+.-]*:/i.test(text)
      ? report(place, "url_not_https", "Only https is allowed here.")
      : report(place, ...FORM_FAULT);
  for (const filled of fillings(text, names, variables)) {
    const url = URL.parse(filled);
    const fault = url === null ? FORM_FAULT : reachFault(url, reach);
    if (fault !== undefined) return report(place, ...fault);
  }
}

function reachFault(url: URL, { kind, allow }: Reach): Fault | undefined {
  if (kind === "local" && url.username === "" && url.password === "") {
    if (LOOPBACK.test(url.hostname) || url.hostname.includes(ANY_HOST)) return undefined;
  }
  return publicFault(url, allow);
}

/**
 * The template with placeholder values, then with each value of each variable in turn while the others have their first
 * value.
 */
function fillings(text: string, names: readonly string[], variables: Variables): string[] {
  const valuesOf = (name: string) => (variables.get(name) ?? []).filter((value) => value !== "");
  const fill = (valueOf: (name: string) => string | undefined) =>
    text.replaceAll(/\{([^{}\s]+)\}/g, (_, name: string, offset: number) => valueOf(name) ?? standIn(text, offset));
  return [
    fill(() => undefined),
    ...names.flatMap((name) =>
      valuesOf(name).map((value) => fill((other) => (other === name ? value : valuesOf(other)[0]))),
    ),
  ];
}

function standIn(text: string, offset: number): string {
  const start = text.indexOf("//") + 2;
  const length = text.slice(start).search(/[/?#]/);
  if (length !== -1 && offset >= start + length) return "x";
  return text[offset - 1] === ":" ? ANY_PORT : ANY_HOST;
}
