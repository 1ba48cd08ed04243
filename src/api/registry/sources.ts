import * as z from "zod";
import { actorOf } from "../../access/principal.ts";
import { answerWith } from "../../http/route.ts";
import { AppError } from "../../platform/errors.ts";
import { publicUrlProblem } from "../../platform/outbound/public-url.ts";
import { isNamePattern } from "../../registry/mirror/name-rules.ts";
import {
  addSource,
  changeSource,
  findSource,
  listSources,
  MAX_SOURCES,
  removeSource,
  type Source,
  type SourceRefusal,
} from "../../registry/mirror/source.ts";
import { syncSource } from "../../registry/mirror/sync.ts";
import { route, type ApiDeps } from "../deps.ts";
import { instant, maybeInstant } from "../shapes.ts";

const who = { scopes: ["mcp-registry:write"] } as const;
const PATH = "/api/v1/registry/sources";
const REMOVE_MS = 15_000;

const params = z.object({ id: z.uuid("is not a valid source id").describe("The id of the source.") });
const pattern = z.string().refine(isNamePattern, "must be a name pattern such as com.example/*, with at most three *");
const patterns = z.array(pattern).max(100);
const everyMinutes = z.number().int().min(5).max(10_080);
const fields = {
  allow: patterns
    .min(1, "must have at least one pattern; * matches all names")
    .describe("Patterns of names to mirror; * matches any text."),
  deny: patterns.describe("Patterns of names to exclude, even if `allow` matches them."),
  enabled: z.boolean().describe("False: mirroring is paused."),
  everyMinutes: everyMinutes.describe("Minutes between the end of one run and the next."),
};
const creation = z.strictObject({
  url: z.string().max(300).describe("The URL of the registry, without /v0.1."),
  allow: fields.allow.default(["*"]),
  deny: fields.deny.default([]),
  enabled: fields.enabled.default(true),
  everyMinutes: fields.everyMinutes.default(60),
});
const change = z
  .strictObject({
    allow: fields.allow.optional(),
    deny: fields.deny.optional(),
    enabled: fields.enabled.optional(),
    everyMinutes: fields.everyMinutes.optional(),
  })
  .refine((given) => Object.keys(given).length > 0, "must change something");

const source = z
  .object({
    id: z.string().describe("The id of the source."),
    url: z.string().describe("The URL of the registry."),
    ...fields,
    servers: z.number().describe("Number of servers mirrored from it, including deleted ones."),
    isRunning: z.boolean().describe("Whether a run is in progress."),
    read: z.number().describe("Number of entries read by the current run, or by the last one if none is in progress."),
    lastRunAt: maybeInstant("When the last run ended; null: never."),
    nextRunAt: instant("When the next run starts."),
    lastProblem: z.string().nullable().describe("Why the last run failed, or what it skipped; null: no problem."),
  })
  .meta({ id: "Source", description: "Another registry whose servers are mirrored." });
const outcome = z
  .object({
    state: z
      .enum(["finished", "unfinished", "failed", "busy"])
      .describe(
        "The state of the run. `unfinished`: the gateway continues by itself. `busy`: another run is in progress.",
      ),
    pages: z.number().describe("Number of pages read."),
    read: z.number().describe("Number of entries read."),
    changed: z.number().describe("Number of versions added or changed here."),
    leftOut: z.number().describe("Number of entries skipped because they are invalid."),
    problem: z.string().nullable().describe("Why it failed; null: it did not."),
  })
  .meta({ id: "SourceRun", description: "The result of a run." });

const removal = z.object({
  removed: z.boolean().describe("True: the source and its servers are removed. False: some are left."),
});

/** For owners and administrators of the credential's organization, like all routes of sources. */
export const listRegistrySources = route({
  method: "get",
  path: PATH,
  id: "listRegistrySources",
  tag: "Registry management",
  summary: "List the registries that your organization mirrors",
  who,
  out: z.object({ sources: z.array(source).describe("The sources.") }),
  handle: async ({ deps, caller }) => {
    const sources = settled(await listSources({ db: deps.databases.write }, caller));
    return { sources: sources.map(shown) };
  },
});

export const createRegistrySource = route({
  method: "post",
  path: PATH,
  id: "createRegistrySource",
  tag: "Registry management",
  summary: "Mirror another registry (MCP Registry API v0.1) into your organization's registry",
  who,
  in: { body: creation },
  refusals: ["conflict"],
  out: source,
  status: 201,
  handle: async ({ deps, caller, input: { body }, from }) => {
    const db = { db: deps.databases.write };
    const { id } = settled(
      await addSource(db, actorOf(caller, from), { ...body, url: registryUrl(deps, body.url) }, deps.now()),
    );
    return shown(settled(await findSource(db, caller, id)));
  },
});

/** New patterns are applied to servers that are already here by the next run, which reads everything again. */
export const changeRegistrySource = route({
  method: "patch",
  path: `${PATH}/{id}`,
  id: "changeRegistrySource",
  tag: "Registry management",
  summary: "Change the settings of a mirrored registry",
  who,
  in: { params, body: change },
  refusals: ["not_found"],
  out: source,
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const db = { db: deps.databases.write };
    const { allow, deny, enabled, everyMinutes: minutes } = body;
    const given = {
      id: at.id,
      ...(allow && { allow }),
      ...(deny && { deny }),
      ...(enabled !== undefined && { enabled }),
      ...(minutes !== undefined && { everyMinutes: minutes }),
    };
    settled(await changeSource(db, actorOf(caller, from), given, deps.now()));
    return shown(settled(await findSource(db, caller, at.id)));
  },
});

/**
 * Also removes the servers mirrored from it. If this takes longer than one request, the answer is 202, and another
 * request continues.
 */
export const deleteRegistrySource = route({
  method: "delete",
  path: `${PATH}/{id}`,
  id: "deleteRegistrySource",
  tag: "Registry management",
  summary: "Stop mirroring a registry, and remove the servers mirrored from it",
  who,
  in: { params },
  out: removal,
  others: { 202: { schema: removal, description: "Some servers are left. Repeat the request." } },
  refusals: ["not_found"],
  handle: async ({ deps, caller, input, from }) => {
    const time = { clock: deps.now, until: deps.now() + REMOVE_MS };
    const removed = await removeSource({ db: deps.databases.write }, actorOf(caller, from), input.params.id, time);
    return settled(removed) ? { removed: true } : answerWith(202, { removed: false });
  },
});

/**
 * Runs a turn of at most twenty pages or twenty seconds. After `unfinished`, the gateway continues by itself within a
 * minute.
 */
export const runRegistrySource = route({
  method: "post",
  path: `${PATH}/{id}/run`,
  id: "runRegistrySource",
  tag: "Registry management",
  summary: "Mirror a registry now",
  who,
  in: { params },
  refusals: ["not_found", "conflict"],
  out: outcome,
  handle: async ({ deps, caller, input }) => {
    const { id, enabled } = settled(await findSource({ db: deps.databases.write }, caller, input.params.id));
    if (!enabled) throw new AppError("conflict", "This source is disabled. Enable it first.");
    const { databases, outbound, log, now, config } = deps;
    return syncSource({ db: databases.write, outbound, log, now, reachable: config.OUTBOUND_ALLOW }, id);
  },
});

/**
 * The stored form of a registry's URL, without API paths. This gateway's own address is refused: it would mirror
 * itself.
 */
function registryUrl({ config }: Pick<ApiDeps, "config">, text: string): string {
  const url = URL.parse(text);
  const problem = url ? publicUrlProblem(url, config.OUTBOUND_ALLOW) : "it is not a URL";
  if (!url || problem !== undefined) throw new AppError("invalid_request", `"url" is not accepted: ${problem}.`);
  if (url.search !== "" || url.hash !== "")
    throw new AppError("invalid_request", '"url" must have no query and no fragment.');
  if (url.host === new URL(config.BASE_URL).host)
    throw new AppError(
      "invalid_request",
      '"url" must be the URL of another registry: this gateway cannot mirror itself.',
    );
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "").replace(/\/v0(\.1)?(\/servers)?$/, "");
}

const REFUSALS: Readonly<Record<SourceRefusal, () => AppError>> = {
  not_allowed: () =>
    new AppError("forbidden", "Only owners and administrators of the organization can manage its sources."),
  unknown: () => new AppError("not_found", "There is no source with this id."),
  exists: () => new AppError("conflict", "This registry is already a source."),
  too_many: () => new AppError("conflict", `An organization can have at most ${MAX_SOURCES} sources.`),
};

function settled<T>(result: T): Exclude<T, SourceRefusal> {
  if (typeof result === "string" && Object.hasOwn(REFUSALS, result)) throw REFUSALS[result as SourceRefusal]();
  return result as Exclude<T, SourceRefusal>;
}

const shown = ({ lastRunAt, nextRunAt, allow, deny, ...rest }: Source): z.infer<typeof source> => ({
  ...rest,
  allow: [...allow],
  deny: [...deny],
  lastRunAt: lastRunAt?.toISOString() ?? null,
  nextRunAt: nextRunAt.toISOString(),
});
