import type { Context, Hono } from "hono";
import { sha256 } from "../platform/crypto.ts";
import { AppError, problemResponse } from "../platform/errors.ts";
import { clientAddress, type HttpEnv } from "../platform/http.ts";
import { visitorKey } from "../platform/ip.ts";
import { answerOf } from "../registry/answer.ts";
import { checkDefinition, type DefinitionCheck } from "../registry/definition/definition.ts";
import type { RegistryEntry } from "../registry/entry.ts";
import {
  beginRequest,
  forgetRequest,
  isIdempotencyKey,
  type Begun,
  type IdempotentRequest,
} from "../registry/idempotency.ts";
import type { DefinitionProblem } from "../registry/definition/problem.ts";
import { publish, type Published, type Publisher } from "../registry/publish.ts";
import type { ApiDeps } from "./deps.ts";
import { authRoutes } from "./registry-auth.ts";
import { jsonOf } from "./registry-body.ts";
import { authorOf, notYours, publishingLimits, takeLocal } from "./registry-publisher.ts";
import { changedStatus, mirrored, notThere } from "./registry-status.ts";

const ROOTS = ["/v0.1", "/v0"];
const VALIDATING = { perMinute: 60, burst: 60 };

/** The write half of the MCP Registry API (v0.1, OpenAPI document 2025-12-01), and what `mcp-publisher` asks beside it. */
export function writeRoutes(app: Hono<HttpEnv>, deps: ApiDeps): void {
  const limits = publishingLimits();
  authRoutes(app, deps, limits);
  const serve = (
    method: "GET" | "POST" | "PATCH",
    path: string,
    handle: (c: Context<HttpEnv>) => Response | Promise<Response>,
  ) => {
    for (const root of ROOTS) {
      app.on(method, root + path, handle);
      app.all(root + path, () => {
        throw new AppError("method_not_allowed", `Use ${method}.`, { headers: { allow: method } });
      });
    }
  };

  serve("GET", "/health", () => {
    const { GITHUB_CLIENT_ID: id } = deps.config;
    return answer({ status: "ok", ...(id !== undefined && { github_client_id: id }) });
  });
  serve("GET", "/ping", () => answer({ pong: true }));
  serve("GET", "/version", () => answer({ version: deps.version }));

  serve("POST", "/validate", async (c) => {
    const visitor = visitorKey(clientAddress(c.req.raw.headers));
    takeLocal(limits, `validate:${visitor}`, VALIDATING, deps.now());
    const checked = checkedBy(deps, (await jsonOf(c)).value);
    const problems = "problems" in checked ? checked.problems : [];
    return answer({ valid: problems.length === 0, problems, issues: problems.map(issueOf) });
  });

  serve("POST", "/publish", async (c) => {
    const author = await authorOf(c, deps, limits);
    const { value, text } = await jsonOf(c);
    const checked = checkedBy(deps, value);
    if ("problems" in checked) return invalid(c, checked.problems);
    const { definition } = checked;
    const publisher = author(definition.name);
    const kept = keptRequest(c, publisher);
    if (kept) {
      const begun = await beginRequest(deps.databases.write, kept, await sha256(`publish\n${text}`), deps.now());
      const entry = unfinished(begun);
      if (entry) return answer(answerOf(entry, deps.config.BASE_URL));
    }
    let published: Published | undefined;
    try {
      published = await publish(deps.databases.write, publisher, definition, deps.now(), kept);
    } finally {
      if (kept && published?.state !== "published") await forgetRequest(deps.databases.write, kept);
    }
    return answer(answerOf(entryOf(published, definition.name, definition.version), deps.config.BASE_URL));
  });

  serve("PATCH", "/servers/:serverName/versions/:version/status", async (c) => {
    const [entry] = await changedStatus(c, deps, limits, c.req.param("version") ?? "");
    if (entry === undefined) throw notThere();
    return answer(answerOf(entry, deps.config.BASE_URL));
  });
  serve("PATCH", "/servers/:serverName/status", async (c) => {
    const entries = await changedStatus(c, deps, limits, null);
    const servers = entries.map((entry) => answerOf(entry, deps.config.BASE_URL));
    return answer({ updatedCount: servers.length, servers });
  });

  for (const root of ROOTS) {
    app.on(["PUT", "DELETE"], `${root}/servers/:serverName/versions/:version`, () => {
      throw new AppError(
        "not_implemented",
        "A published version is never changed or removed. Publish another version, or PATCH its status to deprecated or deleted.",
      );
    });
  }
}

const answer = (body: object) => Response.json(body, { headers: { "cache-control": "no-store" } });

const checkedBy = ({ config }: ApiDeps, value: unknown): DefinitionCheck =>
  value === undefined
    ? { problems: [{ pointer: "", code: "not_json", problem: "This is not JSON." }] }
    : checkDefinition(value, { allow: config.OUTBOUND_ALLOW });

/** 422 with everything that is to be mended; `mcp-publisher` then asks `/validate`. */
async function invalid(c: Context<HttpEnv>, errors: readonly DefinitionProblem[]): Promise<Response> {
  const [first] = errors;
  const detail = `The definition has ${errors.length === 1 ? "a problem" : `${errors.length} problems`}; the first is at "${first?.pointer ?? ""}": ${first?.problem ?? ""}`;
  const problem = problemResponse("invalid_definition", detail, c.get("requestId"));
  return new Response(JSON.stringify({ ...(await problem.json<object>()), errors }), problem);
}

/** A problem as the official registry's `/validate` says it: `packages[0].transport.url`. */
const issueOf = ({ pointer, code, problem }: DefinitionProblem) => ({
  type: code === "not_json" ? "json" : "schema",
  path: pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? "" : "."}${part}`))
    .join(""),
  message: problem,
  severity: "error",
  reference: code,
});

function keptRequest(c: Context<HttpEnv>, { tenantId, userId, credential }: Publisher): IdempotentRequest | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined) return undefined;
  if (!isIdempotencyKey(key))
    throw new AppError("invalid_request", "Idempotency-Key: use 1 to 255 visible ASCII characters.");
  return { owner: `${tenantId} ${userId ?? credential?.id ?? ""}`, key };
}

/** The entry that the first request of this key has published; undefined when this is the first. */
function unfinished(begun: Begun): RegistryEntry | undefined {
  switch (begun.state) {
    case "begun":
      return undefined;
    case "answered":
      return begun.entry;
    case "under_way":
      throw new AppError("conflict", "The first request with this Idempotency-Key is still under way.", {
        headers: { "retry-after": "1" },
      });
    case "other":
      throw new AppError("idempotency_mismatch", "This Idempotency-Key was used for another request. Use a new one.");
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
        `${name} has a version ${version} already, and versions never change. Publish another one.`,
      );
    case "look_alike":
      throw new AppError(
        "conflict",
        "There is a server whose name looks the same. Choose a name that differs in more.",
      );
    case "mirrored":
      throw mirrored();
    case "full":
      throw new AppError("conflict", "This server has as many versions as a server can have.");
    default:
      return published satisfies never;
  }
}
