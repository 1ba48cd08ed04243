import * as z from "zod";
import { sha256 } from "../platform/crypto.ts";
import { AppError } from "../platform/errors.ts";
import { visitorKey } from "../platform/ip.ts";
import { answerOf } from "../registry/reading/answer.ts";
import { definitionShape, serverShape } from "../registry/reading/answer-shape.ts";
import { checkDefinition, type DefinitionCheck } from "../registry/definition/definition.ts";
import type { RegistryEntry } from "../registry/reading/entry.ts";
import {
  beginRequest,
  forgetRequest,
  isIdempotencyKey,
  type Begun,
  type IdempotentRequest,
} from "../registry/publishing/idempotency.ts";
import type { DefinitionProblem } from "../registry/definition/problem.ts";
import { publish, type Published, type Publisher } from "../registry/publishing/publish.ts";
import type { PlaneDeps } from "./deps.ts";
import { notYours, takeLocal } from "./publisher.ts";
import { route } from "./route.ts";
import { mirrored } from "./status.ts";

const VALIDATING = { perMinute: 60, burst: 60 };

const problemEntry = z
  .object({
    pointer: z.string().describe("The place of the problem, as a JSON Pointer (RFC 6901)."),
    code: z.string().describe("The code of the problem; stable, for programs."),
    problem: z.string().describe("What is wrong and what to do."),
  })
  .meta({ id: "DefinitionProblem", description: "One problem of a server.json." });

const issue = z
  .object({
    type: z.enum(["json", "schema"]).describe("`json`: it is not JSON. `schema`: it breaks a rule."),
    path: z.string().describe("The place, in the form of the official registry: `packages[0].transport.url`."),
    message: z.string().describe("What is wrong and what to do."),
    severity: z.literal("error").describe("Always `error`."),
    reference: z.string().describe("The code of the problem."),
  })
  .meta({ id: "ValidationIssue", description: "One problem of a server.json, in the form of the official registry." });

export const validateServer = route({
  method: "post",
  path: "/validate",
  id: "validateServer",
  tag: "Registry publishing",
  summary: "Check a server.json without publishing it",
  who: "anyone",
  in: { json: definitionShape },
  out: z
    .object({
      valid: z.boolean().describe("Whether it can be published."),
      problems: z.array(problemEntry).describe("What is wrong with it."),
      issues: z.array(issue).describe("The same, in the form of the official registry."),
    })
    .meta({ id: "Validation", description: "What is wrong with a server.json." }),
  refusals: ["rate_limited"],
  before: ({ deps, from }) => takeLocal(deps, `validate:${visitorKey(from.ip)}`, VALIDATING, deps.now()),
  handle: ({ deps, input }) => {
    const checked = checkedBy(deps, input.json.value);
    const problems = "problems" in checked ? checked.problems : [];
    return { valid: problems.length === 0, problems, issues: problems.map(issueOf) };
  },
});

export const publishServer = route({
  method: "post",
  path: "/publish",
  id: "publishServer",
  tag: "Registry publishing",
  summary: "Publish a version of a server",
  description:
    "A published version never changes. A definition with problems is refused with 422; `errors` lists each problem with its place.",
  who: { publisher: ["mcp-registry:write"] },
  in: {
    json: definitionShape,
    headers: z.object({
      "idempotency-key": z
        .string()
        .optional()
        .describe(
          "A text of 1 to 255 visible ASCII characters, new for each publish. With it, a request can be repeated safely for a day.",
        ),
    }),
  },
  out: serverShape,
  refusals: ["forbidden", "invalid_definition", "version_exists", "conflict", "idempotency_mismatch"],
  handle: async ({ deps, caller: author, input: { json, headers } }) => {
    const checked = checkedBy(deps, json.value);
    if ("problems" in checked) throw invalid(checked.problems);
    const { definition } = checked;
    const publisher = author(definition.name);
    const kept = keptRequest(headers["idempotency-key"], publisher);
    if (kept) {
      const begun = await beginRequest(deps.databases.write, kept, await sha256(`publish\n${json.text}`), deps.now());
      const entry = unfinished(begun);
      if (entry) return answerOf(entry, deps.config.BASE_URL);
    }
    let published: Published | undefined;
    try {
      published = await publish(deps.databases.write, publisher, definition, deps.now(), kept);
    } finally {
      if (kept && published?.state !== "published") await forgetRequest(deps.databases.write, kept);
    }
    return answerOf(entryOf(published, definition.name, definition.version), deps.config.BASE_URL);
  },
});

const checkedBy = ({ config }: PlaneDeps, value: unknown): DefinitionCheck =>
  value === undefined
    ? { problems: [{ pointer: "", code: "not_json", problem: "This is not JSON." }] }
    : checkDefinition(value, { allow: config.OUTBOUND_ALLOW });

/** The 422 answer with all problems. On 422, `mcp-publisher` calls `/validate`. */
function invalid(errors: readonly DefinitionProblem[]): AppError {
  const [first] = errors;
  const detail = `The definition has ${errors.length === 1 ? "a problem" : `${errors.length} problems`}; the first is at "${first?.pointer ?? ""}": ${first?.problem ?? ""}`;
  return new AppError("invalid_definition", detail, { members: { errors } });
}

/** A problem in the form of the official registry's `/validate`: `packages[0].transport.url`. */
const issueOf = ({ pointer, code, problem }: DefinitionProblem) => ({
  type: code === "not_json" ? ("json" as const) : ("schema" as const),
  path: pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? "" : "."}${part}`))
    .join(""),
  message: problem,
  severity: "error" as const,
  reference: code,
});

function keptRequest(
  key: string | undefined,
  { tenantId, userId, credential }: Publisher,
): IdempotentRequest | undefined {
  if (key === undefined) return undefined;
  if (!isIdempotencyKey(key))
    throw new AppError("invalid_request", '"Idempotency-Key" must have 1 to 255 visible ASCII characters.');
  return { owner: `${tenantId} ${userId ?? credential?.id ?? ""}`, key };
}

/** The entry that an earlier request with this key published; undefined when this is the first. */
function unfinished(begun: Begun): RegistryEntry | undefined {
  switch (begun.state) {
    case "begun":
      return undefined;
    case "answered":
      return begun.entry;
    case "under_way":
      throw new AppError(
        "conflict",
        "The first request with this Idempotency-Key is still in progress. Try again shortly.",
        {
          headers: { "retry-after": "1" },
        },
      );
    case "other":
      throw new AppError(
        "idempotency_mismatch",
        "This Idempotency-Key was used for a different request. Use a new one.",
      );
    default:
      return begun satisfies never;
  }
}

function entryOf(published: Published, name: string, version: string): RegistryEntry {
  switch (published.state) {
    case "published":
      return published.entry;
    case "namespace":
      throw notYours(name);
    case "version_exists":
      throw new AppError(
        "version_exists",
        `${name} already has a version ${version}, and published versions never change. Publish another version.`,
      );
    case "look_alike":
      throw new AppError(
        "conflict",
        "Another server has a name that looks almost the same. Choose a name that is easier to tell apart.",
      );
    case "mirrored":
      throw mirrored();
    case "full":
      throw new AppError("conflict", "This server has reached the maximum number of versions.");
    default:
      return published satisfies never;
  }
}
