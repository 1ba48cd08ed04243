import type { Context } from "hono";
import * as z from "zod";
import { AppError } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";
import type { RegistryEntry } from "../registry/entry.ts";
import { parseName } from "../registry/name.ts";
import { MAX_STATUS_MESSAGE, setStatus, type StatusChange, type StatusChanged } from "../registry/status.ts";
import type { ApiDeps } from "./deps.ts";
import { jsonOf } from "./registry-body.ts";
import { authorOf, notYours, type PublishingLimits } from "./registry-publisher.ts";

const statusBody = z.strictObject({
  status: z.enum(["active", "deprecated", "deleted"]),
  statusMessage: z
    .string()
    .refine(
      (text) => Array.from(text).length <= MAX_STATUS_MESSAGE,
      `must have at most ${MAX_STATUS_MESSAGE} characters`,
    )
    .regex(/^\P{Cc}*$/u, "must have no control characters")
    .nullish(),
});

/** Answers a PATCH of a status, of one version or with `version` null of all, with what has changed. */
export async function changedStatus(
  c: Context<HttpEnv>,
  deps: ApiDeps,
  limits: PublishingLimits,
  version: string | null,
): Promise<RegistryEntry[]> {
  const author = await authorOf(c, deps, limits);
  const change = readStatus((await jsonOf(c)).value);
  const name = c.req.param("serverName") ?? "";
  if (parseName(name) === undefined) throw notThere();
  return entriesOf(await setStatus(deps.databases.write, author(name), name, version, change, deps.now()), name);
}

function readStatus(value: unknown): StatusChange {
  const parsed = statusBody.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${["body", ...path].join(".")}: ${message}`);
    throw new AppError("invalid_request", `${faults.join("; ")}.`);
  }
  const { status, statusMessage = null } = parsed.data;
  if (status === "active" && statusMessage !== null)
    throw new AppError("invalid_request", "body.statusMessage: an active version has no message.");
  return { status, statusMessage };
}

function entriesOf(changed: StatusChanged, name: string): RegistryEntry[] {
  switch (changed.state) {
    case "done":
      return changed.entries;
    case "unknown":
      throw notThere();
    case "namespace":
      throw notYours(name);
    case "mirrored":
      throw mirrored();
    case "unchanged":
      throw new AppError("invalid_request", "No changes to apply: status and message are so already.");
    default:
      return changed satisfies never;
  }
}

/** The same for what does not exist and what is another tenant's. */
export const notThere = () => new AppError("not_found", "There is no such server or version in your registry.");

/** What comes from elsewhere is changed there. */
export const mirrored = () =>
  new AppError("conflict", "This server is mirrored from another registry. Deny it in the source's rules first.");
