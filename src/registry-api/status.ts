import * as z from "zod";
import { AppError } from "../platform/errors.ts";
import { answerOf } from "../registry/reading/answer.ts";
import { serverShape } from "../registry/reading/answer-shape.ts";
import type { RegistryEntry } from "../registry/reading/entry.ts";
import { parseName } from "../registry/name.ts";
import { MAX_STATUS_MESSAGE, setStatus, type StatusChange, type StatusChanged } from "../registry/publishing/status.ts";
import type { PlaneDeps } from "./deps.ts";
import { notYours, type Author } from "./publisher.ts";
import { route } from "./route.ts";

const who = { publisher: ["mcp-registry:write"] } as const;
const refusals = ["forbidden", "not_found", "conflict"] as const;

const serverName = z
  .string()
  .describe("The whole name as one segment, with `%2F` for its slash: `com.example%2Fweather`.");

const body = z
  .strictObject({
    status: z.enum(["active", "deprecated", "deleted"]).describe("Deleted versions are kept, and can be undone."),
    statusMessage: z
      .string()
      .refine(
        (text) => Array.from(text).length <= MAX_STATUS_MESSAGE,
        `must have at most ${MAX_STATUS_MESSAGE} characters`,
      )
      .regex(/^\P{Cc}*$/u, "must have no control characters")
      .nullish()
      .describe("What people should do instead; not for active versions."),
  })
  .meta({ id: "StatusChange", description: "A status and its message." });

export const changeVersionStatus = route({
  method: "patch",
  path: "/servers/{serverName}/versions/{version}/status",
  id: "changeVersionStatus",
  tag: "Registry publishing",
  summary: "Change the status of one version of a server",
  who,
  in: { params: z.object({ serverName, version: z.string().describe("The version.") }), body },
  out: serverShape,
  refusals,
  handle: async ({ deps, caller: author, input: { params, body: change } }) => {
    const [entry] = await changed(deps, author, params, change);
    if (entry === undefined) throw notThere();
    return answerOf(entry, deps.config.BASE_URL);
  },
});

export const changeServerStatus = route({
  method: "patch",
  path: "/servers/{serverName}/status",
  id: "changeServerStatus",
  tag: "Registry publishing",
  summary: "Change the status of all versions of a server",
  who,
  in: { params: z.object({ serverName }), body },
  out: z
    .object({
      updatedCount: z.number().int().describe("How many versions have changed."),
      servers: z.array(serverShape).describe("The versions that have changed."),
    })
    .meta({ id: "StatusChanged", description: "What a change of the status of all versions has changed." }),
  refusals,
  handle: async ({ deps, caller: author, input: { params, body: change } }) => {
    const entries = await changed(deps, author, { ...params, version: null }, change);
    const servers = entries.map((entry) => answerOf(entry, deps.config.BASE_URL));
    return { updatedCount: servers.length, servers };
  },
});

/** Changes the status of one version, or with null as the version of all. */
async function changed(
  deps: PlaneDeps,
  author: Author,
  { serverName: name, version }: { serverName: string; version: string | null },
  { status, statusMessage = null }: z.infer<typeof body>,
): Promise<RegistryEntry[]> {
  if (status === "active" && statusMessage !== null)
    throw new AppError("invalid_request", '"statusMessage" must be left out: an active version has no message.');
  if (parseName(name) === undefined) throw notThere();
  const change: StatusChange = { status, statusMessage };
  return entriesOf(await setStatus(deps.databases.write, author(name), name, version, change, deps.now()), name);
}

function entriesOf(outcome: StatusChanged, name: string): RegistryEntry[] {
  switch (outcome.state) {
    case "done":
      return outcome.entries;
    case "unknown":
      throw notThere();
    case "namespace":
      throw notYours(name);
    case "mirrored":
      throw mirrored();
    case "unchanged":
      throw new AppError("invalid_request", "No changes to apply: status and message are so already.");
    default:
      return outcome satisfies never;
  }
}

/** The same for what does not exist and what is another tenant's. */
const notThere = () => new AppError("not_found", "There is no such server or version in your registry.");

/** What comes from elsewhere is changed there. */
export const mirrored = () =>
  new AppError("conflict", "This server is mirrored from another registry. Deny it in the source's rules first.");
