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

const params = z.object({ id: z.uuid("is not the id of a source").describe("The id of the source.") });
const pattern = z
  .string()
  .refine(isNamePattern, "is not a pattern of names, such as com.example/*, with at most three *");
const patterns = z.array(pattern).max(100);
const everyMinutes = z.number().int().min(5).max(10_080);
const fields = {
  allow: patterns.min(1, "must have a pattern; * is all").describe("Names to mirror, * for any text."),
  deny: patterns.describe("Names that are not mirrored even so."),
  enabled: z.boolean().describe("False: nothing more is mirrored."),
  everyMinutes: everyMinutes.describe("Minutes from the end of one run to the next."),
};
const creation = z.strictObject({
  url: z.string().max(300).describe("Where the registry is, without /v0.1."),
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
    url: z.string().describe("Where the registry is."),
    ...fields,
    servers: z.number().describe("Servers that came from it and are kept, deleted ones too."),
    isRunning: z.boolean().describe("Whether a run is under way."),
    read: z.number().describe("Entries that the run under way, or else the last one, has read."),
    lastRunAt: maybeInstant("When the last run ended; null: there was none."),
    nextRunAt: instant("When the next run starts."),
    lastProblem: z.string().nullable().describe("Why the last run failed."),
  })
  .meta({ id: "Source", description: "A registry that is mirrored." });
const outcome = z
  .object({
    state: z
      .enum(["finished", "unfinished", "failed", "busy"])
      .describe("`unfinished`: the gateway goes on by itself. `busy`: another run is under way."),
    pages: z.number().describe("Pages that were read."),
    read: z.number().describe("Entries that were read."),
    changed: z.number().describe("Versions that were added or changed here."),
    leftOut: z.number().describe("Entries that are not mirrored, by the rules or because they cannot be kept."),
    problem: z.string().nullable().describe("Why it failed."),
  })
  .meta({ id: "SourceRun", description: "What a run has done." });

const removal = z.object({ removed: z.boolean().describe("Whether all of it is gone.") });

/** For owners and administrators of the organization that the credential acts in, like all routes here. */
export const listRegistrySources = route({
  method: "get",
  path: PATH,
  id: "listRegistrySources",
  tag: "Registry management",
  summary: "The registries that your organization mirrors",
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
  summary: "Mirror another registry (MCP Registry API v0.1) into your organization's",
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

/** Other patterns are applied to what is here with the next run, which reads everything again. */
export const changeRegistrySource = route({
  method: "patch",
  path: `${PATH}/{id}`,
  id: "changeRegistrySource",
  tag: "Registry management",
  summary: "Change what is mirrored of a registry, and how often",
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

/** What came from it goes too. That may take longer than one request: then the answer is 202, and asking again goes on. */
export const deleteRegistrySource = route({
  method: "delete",
  path: `${PATH}/{id}`,
  id: "deleteRegistrySource",
  tag: "Registry management",
  summary: "Mirror a registry no more, and remove what came from it",
  who,
  in: { params },
  out: removal,
  others: { 202: { schema: removal, description: "Not all is removed yet: ask again." } },
  refusals: ["not_found"],
  handle: async ({ deps, caller, input, from }) => {
    const time = { clock: deps.now, until: deps.now() + REMOVE_MS };
    const removed = await removeSource({ db: deps.databases.write }, actorOf(caller, from), input.params.id, time);
    return settled(removed) ? { removed: true } : answerWith(202, { removed: false });
  },
});

/** A turn of at most twenty pages or twenty seconds; `unfinished` says that the gateway goes on by itself within a minute. */
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
    if (!enabled) throw new AppError("conflict", "This source is disabled: enable it first.");
    const { databases, outbound, log, now, config } = deps;
    return syncSource({ db: databases.write, outbound, log, now, reachable: config.OUTBOUND_ALLOW }, id);
  },
});

/** The base of a registry's paths, as it is kept. Ours would mirror itself. */
function registryUrl({ config }: Pick<ApiDeps, "config">, text: string): string {
  const url = URL.parse(text);
  const problem = url ? publicUrlProblem(url, config.OUTBOUND_ALLOW) : "this is no URL";
  if (!url || problem !== undefined) throw new AppError("invalid_request", `"url" is not accepted: ${problem}.`);
  if (url.search !== "" || url.hash !== "")
    throw new AppError("invalid_request", '"url" must have no query and no fragment.');
  if (url.host === new URL(config.BASE_URL).host)
    throw new AppError("invalid_request", '"url" must be another registry: this gateway does not mirror itself.');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "").replace(/\/v0(\.1)?(\/servers)?$/, "");
}

const REFUSALS: Readonly<Record<SourceRefusal, () => AppError>> = {
  not_allowed: () =>
    new AppError("forbidden", "Only owners and administrators of the organization manage what it mirrors."),
  unknown: () => new AppError("not_found", "There is no source of this id."),
  exists: () => new AppError("conflict", "This registry is a source already."),
  too_many: () => new AppError("conflict", `An organization has at most ${MAX_SOURCES} sources.`),
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
