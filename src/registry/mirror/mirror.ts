import { isObject } from "../../platform/json.ts";
import { checkDefinition, type ServerDefinition } from "../definition/definition.ts";
import { OFFICIAL_META } from "../reading/answer.ts";
import type { ServerStatus } from "../reading/entry.ts";
import { parseName, skeleton } from "../name.ts";
import { isWanted, type NameRules } from "./name-rules.ts";
import { isNewer, MAX_VERSION_LENGTH, versionFault } from "../version.ts";

/** A version of another registry, in the form that `statement.ts` takes. Times are ISO 8601. */
export interface MirrorRow {
  name: string;
  version: string;
  skeleton: string;
  /**
   * Null for a deleted version with an invalid definition: it can only set the status of a version that is already
   * here.
   */
  definition: ServerDefinition | null;
  status: ServerStatus;
  status_message: string | null;
  status_changed_at: string;
  published_at: string;
  /** Whether the other registry says that this is the latest version of the server. */
  is_latest: boolean;
  /** Whether it is the newest on its page: it becomes the latest if the server has no latest version yet. */
  may_be_latest: boolean;
}

/** An entry that was skipped: the server's name, or null when it has no valid one, and the reason. */
export interface LeftOut {
  name: string | null;
  code: string;
}

/** Which names are mirrored, and the non-public `host:port` that remotes may point to (development). */
export interface MirrorRules extends NameRules {
  reachable: readonly string[];
}

interface Entry extends Omit<MirrorRow, "is_latest" | "may_be_latest"> {
  /** Undefined when the other registry does not say. */
  isLatest: boolean | undefined;
}

const MAX_STATUS_MESSAGE = 500;

/**
 * Checks the entries of a page one by one. An invalid entry is skipped and reported in `leftOut`; it never stops the
 * run. Entries that the name rules exclude are skipped silently. `now` is in epoch milliseconds.
 */
export function readEntries(
  entries: readonly unknown[],
  rules: MirrorRules,
  now: number,
): { rows: MirrorRow[]; leftOut: LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const read = new Map<string, Entry>();
  for (const item of entries) {
    const entry = readEntry(item, rules, now);
    if (entry === undefined) continue;
    if ("code" in entry) leftOut.push(entry);
    else read.set(`${entry.name} ${entry.version}`, entry);
  }
  const byName = Map.groupBy(read.values(), ({ name }) => name);
  return { rows: [...byName.values()].flatMap(withLatest), leftOut };
}

function readEntry(item: unknown, rules: MirrorRules, now: number): Entry | LeftOut | undefined {
  const { server, _meta } = isObject(item) ? item : {};
  const { name: called, version: release } = isObject(server) ? server : {};
  const name = typeof called === "string" && parseName(called) !== undefined ? called : null;
  if (name === null) return { name, code: "name" };
  if (!isWanted(name, rules)) return undefined;
  const official = isObject(_meta) && isObject(_meta[OFFICIAL_META]) ? _meta[OFFICIAL_META] : {};
  const status = statusOf(official["status"]);
  if (status === undefined) return { name, code: "status" };
  const checked = checkDefinition(server, { allow: rules.reachable, isMirrored: true });
  const definition = "definition" in checked ? checked.definition : null;
  if ("problems" in checked && status !== "deleted") return { name, code: checked.problems[0]?.code ?? "form" };
  if (!isVersion(release)) return { name, code: "version" };
  const publishedAt = timeOf(official["publishedAt"], now);
  return {
    name,
    version: release,
    skeleton: skeleton(name),
    definition,
    status,
    status_message: messageOf(official["statusMessage"]),
    status_changed_at: new Date(timeOf(official["statusChangedAt"], publishedAt)).toISOString(),
    published_at: new Date(publishedAt).toISOString(),
    isLatest: typeof official["isLatest"] === "boolean" ? official["isLatest"] : undefined,
  };
}

const isVersion = (value: unknown): value is string =>
  typeof value === "string" && value.length <= MAX_VERSION_LENGTH && versionFault(value) === undefined;

/** In a registry without statuses, every server is active. */
function statusOf(value: unknown): ServerStatus | undefined {
  if (value === undefined || value === null) return "active";
  return value === "active" || value === "deprecated" || value === "deleted" ? value : undefined;
}

function messageOf(value: unknown): string | null {
  if (typeof value !== "string" || value.trim() === "") return null;
  return value.slice(0, MAX_STATUS_MESSAGE).toWellFormed().replaceAll(/\p{C}/gu, " ").trim();
}

/** A time in epoch milliseconds; `otherwise` for a text that is not a time, is before 1970 or is after `otherwise`. */
function timeOf(value: unknown, otherwise: number): number {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return time >= 0 && time <= otherwise ? time : otherwise;
}

/** Marks at most one version of a server as latest: the one that the registry names, or the newest if it names none. */
function withLatest(versions: Entry[]): MirrorRow[] {
  const named = versions.filter(({ isLatest }) => isLatest === true);
  const isSilent = versions.every(({ isLatest }) => isLatest === undefined);
  const there = versions.filter(({ status }) => status !== "deleted");
  const latest = newest(isSilent ? there : named);
  const candidate = newest(there);
  return versions.map(({ isLatest: _said, ...entry }) => ({
    ...entry,
    is_latest: entry.version === latest,
    may_be_latest: entry.version === candidate,
  }));
}

function newest(versions: readonly Entry[]): string | undefined {
  const releases = versions.map(({ version, published_at }) => ({ version, publishedAt: Date.parse(published_at) }));
  return releases.toSorted((a, b) => (isNewer(a, b) ? -1 : 1))[0]?.version;
}
