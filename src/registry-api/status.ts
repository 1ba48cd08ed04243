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
  .describe("The full name as one path segment, with `%2F` for its slash: `com.example%2Fweather`.");

const body = z
  .strictObject({
    status: z
      .enum(["active", "deprecated", "deleted"])
      .describe("The new status. Deleted versions are kept, and can be restored."),
    statusMessage: z
      .string()
      .refine(
        (text) => Array.from(text).length <= MAX_STATUS_MESSAGE,
        `must have at most ${MAX_STATUS_MESSAGE} characters`,
      )
      .regex(/^\P{Cc}*$/u, "must have no control characters")
      .nullish()
      .describe("What users should do instead; not for active versions."),
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
      updatedCount: z.number().int().describe("How many versions now have the status."),
      servers: z.array(serverShape).describe("All versions of the server, newest first."),
    })
    .meta({ id: "StatusChanged", description: "The result of changing the status of all versions." }),
  refusals,
  handle: async ({ deps, caller: author, input: { params, body: change } }) => {
    const entries = await changed(deps, author, { ...params, version: null }, change);
    const servers = entries.map((entry) => answerOf(entry, deps.config.BASE_URL));
    return { updatedCount: servers.length, servers };
  },
});

/** Changes the status of one version, or of all versions when `version` is null. */
async function changed(
  deps: PlaneDeps,
  author: Author,
  { serverName: name, version }: { serverName: string; version: string | null },
  { status, statusMessage = null }: z.infer<typeof body>,
): Promise<RegistryEntry[]> {
  if (status === "active" && statusMessage !== null)
    throw new AppError(
      "invalid_request",
      '"statusMessage" is not allowed: an active version has no message. Leave it out.',
    );
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
      throw new AppError("invalid_request", "No changes to apply: status and message already have these values.");
    default:
      return outcome satisfies never;
  }
}

/** One answer for a server that does not exist and one that belongs to another tenant. */
const notThere = () => new AppError("not_found", "There is no such server or version in your registry.");

/** A mirrored server can only be changed in its own registry. */
export const mirrored = () =>
  new AppError(
    "conflict",
    "This server is mirrored from another registry and cannot be changed here. To remove it here, deny its name in the source's rules.",
  );
