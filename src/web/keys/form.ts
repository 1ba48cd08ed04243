import { isScope, KEY_SCOPES, type Scope } from "../../identity/scopes.ts";
import type { KeyChange, KeyInfo, KeyProblems, KeyQuota } from "../../keys/keys.ts";
import { checkKeyFields } from "../../keys/rules.ts";

/** The names of the inputs in the forms about keys. */
export type KeyInput =
  | "name"
  | "tenant"
  | "owner"
  | "scope"
  | "expiry"
  | "servers"
  | "tools"
  | "addresses"
  | "per_minute"
  | "burst"
  | "quota"
  | "period";

/** Problems, by the input at which they are shown. */
export type InputProblems = Partial<Record<KeyInput, string>>;

/** The values of the inputs of a form: as entered, or as the key has them. */
export interface KeyEntries extends Record<Exclude<KeyInput, "scope">, string> {
  scopes: readonly string[];
}

/** The permissions and limits of a key. Null means no restriction. */
export type KeyTerms = Required<Pick<KeyChange, "scopes" | "servers" | "tools" | "addresses" | "rate" | "quota">>;

/** The choices for the expiry of a new key: a number of days, or never. The shortest comes first. */
export const EXPIRIES: readonly { value: string; label: string; days: number | null }[] = [
  { value: "30", label: "In 30 days", days: 30 },
  { value: "90", label: "In 90 days", days: 90 },
  { value: "365", label: "In 365 days", days: 365 },
  { value: "never", label: "Never", days: null },
];

/** The initial values of the inputs of a form. */
export const NOTHING_ENTERED: KeyEntries = {
  name: "",
  tenant: "",
  owner: "user",
  scopes: ["mcp:tools"],
  expiry: "90",
  servers: "",
  tools: "",
  addresses: "",
  per_minute: "",
  burst: "",
  quota: "",
  period: "month",
};

const DAY_MS = 86_400_000;

/** The values of the inputs of a posted form. */
export function keyEntries(form: URLSearchParams): KeyEntries {
  const text = (name: KeyInput) => (form.get(name) ?? "").trim();
  return {
    name: text("name"),
    tenant: text("tenant"),
    owner: text("owner"),
    scopes: form.getAll("scope"),
    expiry: text("expiry"),
    servers: text("servers"),
    tools: text("tools"),
    addresses: text("addresses"),
    per_minute: text("per_minute"),
    burst: text("burst"),
    quota: text("quota"),
    period: text("period"),
  };
}

/** The values of the inputs for an existing key. */
export function entriesOf(info: KeyInfo): KeyEntries {
  const lines = (list: readonly string[] | null) => (list ?? []).join("\n");
  return {
    ...NOTHING_ENTERED,
    name: info.name,
    scopes: info.scopes,
    servers: lines(info.servers),
    tools: lines(info.tools),
    addresses: lines(info.addresses),
    per_minute: String(info.rate?.perMinute ?? ""),
    burst: String(info.rate?.burst ?? ""),
    quota: String(info.quota?.max ?? ""),
    period: info.quota?.period ?? "month",
  };
}

/** The expiry of a new key, from `now` (epoch milliseconds); null for never, undefined for an unknown choice. */
export function expiryOf(choice: string, now: number): Date | null | undefined {
  const chosen = EXPIRIES.find(({ value }) => value === choice);
  if (chosen === undefined) return undefined;
  return chosen.days === null ? null : new Date(now + chosen.days * DAY_MS);
}

/** Reads the permissions and limits of a key. Text that is not a number becomes NaN, which the rules of keys refuse. */
export function readTerms(entries: KeyEntries): KeyTerms {
  const { per_minute: perMinute, burst, quota, period } = entries;
  return {
    scopes: entries.scopes.filter(isScope),
    servers: linesOf(entries.servers),
    tools: linesOf(entries.tools),
    addresses: linesOf(entries.addresses),
    rate:
      perMinute === "" && burst === ""
        ? null
        : { perMinute: wholeNumber(perMinute), burst: wholeNumber(burst || perMinute) },
    quota: quota === "" ? null : { max: wholeNumber(quota), period: period as KeyQuota["period"] },
  };
}

/**
 * The terms of a form that differ from those of the key. An input that stays empty does not change a list that allows
 * nothing: null would allow everything.
 */
export function changedTerms(terms: KeyTerms, info: KeyInfo): KeyChange {
  const now = readTerms(entriesOf(info));
  return Object.fromEntries(
    Object.entries(terms).filter(([name, value]) => !isSame(value, now[name as keyof KeyTerms])),
  );
}

/** Problems of the fields of a key, by the input at which they are shown. `now` is in epoch milliseconds. */
export function inputProblems(fields: KeyChange, now: number): InputProblems {
  const checked = checkKeyFields(fields, now);
  return "problems" in checked ? atInputs(checked.problems) : {};
}

/** Maps problems of a key's fields to the inputs of the form. */
export const atInputs = (problems: KeyProblems): InputProblems =>
  Object.fromEntries(
    Object.entries(problems).map(([field, problem]) => [Object.hasOwn(INPUTS, field) ? INPUTS[field] : field, problem]),
  );

const INPUTS: Readonly<Record<string, KeyInput>> = {
  scopes: "scope",
  expiresAt: "expiry",
  tenantId: "tenant",
  rate: "per_minute",
};

/** Scopes in the order in which forms show them. */
export const inOrder = (scopes: ReadonlySet<Scope>): Scope[] => KEY_SCOPES.filter((scope) => scopes.has(scope));

/** The lines of an input, without duplicates; null for an empty input. */
function linesOf(text: string): string[] | null {
  const lines = text
    .split(/[\r\n]/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.length === 0 ? null : [...new Set(lines)];
}

const wholeNumber = (text: string): number => (/^\d{1,15}$/.test(text) ? Number(text) : NaN);

const isSame = (one: unknown, other: unknown) => canonical(one) === canonical(other);

/** JSON that does not depend on the order of a list. */
const canonical = (value: unknown): string =>
  JSON.stringify(Array.isArray(value) ? value.map(String).toSorted((a, b) => a.localeCompare(b)) : value);
