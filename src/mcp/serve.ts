import {
  createMcpHandler,
  ProtocolError,
  Server,
  type JSONRPCRequest,
  type Result,
  type ServerCapabilities,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { mayUseServer, mayUseTool } from "../access/policy.ts";
import { missingScopes, type Principal } from "../access/principal.ts";
import { searchServers } from "../upstreams/builtin/search-servers.ts";
import { builtinToolNamed, listTools, resolveTool, type CatalogDeps } from "../upstreams/catalog.ts";
import { exposedName, splitExposedName } from "../upstreams/tool-name.ts";
import type { ToolCaller, ToolRegistry } from "../upstreams/builtin/tool.ts";
import { UpstreamUnavailable, type UpstreamConnection } from "../upstreams/client.ts";
import type { Db } from "../platform/postgres/db.ts";
import { JSON_RPC } from "../platform/json-rpc.ts";
import { errorFields, type Log } from "../platform/log.ts";
import type { Call, Outcome } from "./call.ts";
import { acceptingBoth, acceptsEvents, plainJson } from "./plain-json.ts";
import { registryResources } from "./registry-resources.ts";
import { mayStream } from "./wanted.ts";
import { forward, paramsOf, unavailableError, upstreamCaller } from "./forward.ts";

export interface ServeDeps {
  catalog: CatalogDeps;
  db: Pick<Db, "select">;
  registry: ToolRegistry;
  log: Log;
  version: string;
}

interface Serving {
  call: Call;
  connection: UpstreamConnection | undefined;
}

/** Answers one admitted request. `connection` is the open upstream when the endpoint is that of one upstream. */
export type Serve = (call: Call, connection: UpstreamConnection | undefined) => Promise<Response>;

const UPSTREAM_METHODS = {
  tools: ["tools/list", "tools/call"],
  resources: ["resources/list", "resources/templates/list", "resources/read"],
  prompts: ["prompts/list", "prompts/get"],
  completions: ["completion/complete"],
} as const satisfies Partial<Record<keyof ServerCapabilities, readonly string[]>>;

/**
 * Serves both MCP generations on one URL. The SDK negotiates; a new server is created for each request and principal,
 * so that no answer can reach another caller. List changes are not announced, because a stateless endpoint has no
 * channel for them.
 */
export function server(deps: ServeDeps): Serve {
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const { call, connection } = (authInfo?.extra ?? {}) as unknown as Serving;
      return connection ? upstreamServer(deps, call, connection) : aggregateServer(deps, call);
    },
    { onerror: (error) => deps.log("info", "mcp.rejected", errorFields(error)) },
  );
  return async (call, connection) => {
    const { request, principal, envelope } = call;
    const accepted = acceptsEvents(request.headers.get("accept"));
    // A subscription has no final message, so it is always a stream. A request without messages before its result gets
    // plain JSON.
    const events = envelope.method === "subscriptions/listen" || (accepted && mayStream(envelope, call.slug));
    const response = await handler.fetch(accepted ? request : acceptingBoth(request), {
      parsedBody: envelope.message,
      // The handler passes this through. The credential itself is not passed on after its check.
      authInfo: { token: "", clientId: principal.clientId ?? "", scopes: [], extra: { call, connection } },
    });
    return events ? response : plainJson(response);
  };
}

function aggregateServer(deps: ServeDeps, call: Call): Server {
  const { principal, request, envelope, catalog } = call;
  const caller = upstreamCaller(principal.userId, request, envelope.message);
  const mayCall = (name: string) => mayUseTool(principal, name) && hasScopesOf(principal, name);
  const search = mayCall(searchServers.name) ? ` ${searchServers.name} finds servers.` : "";
  const instructions = `Tools of other MCP servers are named {server}__{tool}.${search}`;
  // Clients request every list that is announced, so resources are announced only to callers who may read the registry.
  const hasResources = principal.tools === null && principal.scopes.has("mcp-registry:read");
  const capabilities = { tools: {}, ...(hasResources && { resources: {} }) };
  const mcp = new Server(
    { name: "mcp-registry-gateway", title: "MCP Registry Gateway", version: deps.version },
    { capabilities, instructions, inputRequired: { legacyShim: false } },
  );
  if (hasResources) {
    const { list, templates, read } = registryResources(deps.registry, principal.tenantId);
    answerWith(mcp, "resources/list", (asked) => tracked(deps, call, () => list(paramsOf(asked))));
    answerWith(mcp, "resources/templates/list", () => tracked(deps, call, async () => templates()));
    answerWith(mcp, "resources/read", (asked) => tracked(deps, call, () => read(paramsOf(asked))));
  }
  mcp.setRequestHandler("tools/list", async () => {
    const listed = await listTools(catalog, principal.tenantId, caller, (slug) => isListed(principal, slug));
    const tools = listed.tools.filter(({ name }) => mayCall(name));
    const { unavailable } = listed;
    return { tools, ...(unavailable.length > 0 && { _meta: { "mcp-registry-gateway/unavailable": unavailable } }) };
  });
  answerWith(mcp, "tools/call", (toolRequest, context) =>
    tracked(deps, call, async () => {
      const params = paramsOf(toolRequest);
      const name = String(params["name"]);
      const target = await resolveTool(catalog, principal.tenantId, name, caller);
      if (target === null) throw unknownTool(name);
      if (target.kind === "builtin") {
        const { db, registry } = deps;
        return target.tool.call(params["arguments"], { caller: toolCaller(call), db, registry });
      }
      const connection = await catalog.connect(target.upstream, caller);
      try {
        return await forward(connection, "tools/call", { ...params, name: target.tool }, context);
      } finally {
        await connection.close();
      }
    }),
  );
  return mcp;
}

function upstreamServer(deps: ServeDeps, call: Call, connection: UpstreamConnection): Server {
  const capabilities = servedCapabilities(connection.capabilities, call.principal.tools === null);
  const mcp = new Server(
    { name: `mcp-registry-gateway/${call.slug}`, version: deps.version },
    {
      capabilities,
      ...(connection.instructions !== undefined && { instructions: connection.instructions }),
      inputRequired: { legacyShim: false },
    },
  );
  for (const [capability, methods] of Object.entries(UPSTREAM_METHODS)) {
    if (capabilities[capability as keyof typeof UPSTREAM_METHODS] === undefined) continue;
    for (const method of methods) {
      answerWith(mcp, method, (upstreamRequest, context) =>
        tracked(deps, call, async () => {
          const result = await forward(connection, method, paramsOf(upstreamRequest), context);
          return method === "tools/list" ? listedFor(call, result) : result;
        }),
      );
    }
  }
  mcp.onclose = () => void connection.close();
  return mcp;
}

/**
 * Installs a handler. A forwarded result can have any shape; the SDK checks it against the method's schema when it is
 * sent.
 */
function answerWith(
  mcp: Server,
  method: string,
  handler: (request: JSONRPCRequest, context: ServerContext) => Promise<Result>,
): void {
  const install = mcp.setRequestHandler.bind(mcp) as unknown as (name: string, work: typeof handler) => void;
  install(method, handler);
}

/** Whether a credential may use anything of a server. If not, its tools are not requested. */
const isListed = (principal: Principal, slug: string) =>
  mayUseServer(principal, slug) &&
  (principal.tools === null || principal.tools.some((name) => splitExposedName(name)?.slug === slug));

/** A result of `tools/list` without the tools that are not on the credential's list. */
async function listedFor({ principal, slug }: Call, result: Result): Promise<Result> {
  if (principal.tools === null || slug === null || !Array.isArray(result["tools"])) return result;
  const tools: unknown[] = [];
  for (const tool of result["tools"] as { name?: unknown }[]) {
    if (mayUseTool(principal, await exposedName(slug, String(tool.name)))) tools.push(tool);
  }
  return { ...result, tools };
}

/**
 * The capabilities of an upstream that this endpoint can serve: its requests, but not its announcements or
 * subscriptions.
 */
function servedCapabilities(capabilities: ServerCapabilities, beyondTools: boolean): ServerCapabilities {
  const { tools, resources, prompts, completions, logging } = capabilities;
  return {
    ...(tools && { tools: {} }),
    ...(beyondTools && resources && { resources: {} }),
    ...(beyondTools && prompts && { prompts: {} }),
    ...(beyondTools && completions && { completions: {} }),
    ...(logging && { logging: {} }),
  };
}

/** Runs the work of a request, and settles its outcome for the audit log in any case. */
async function tracked(deps: ServeDeps, call: Call, work: () => Promise<Result>): Promise<Result> {
  try {
    const result = await work();
    call.finished.resolve(outcomeOf(result));
    return result;
  } catch (error) {
    const answer = error instanceof UpstreamUnavailable ? unavailableError(error) : error;
    if (!(answer instanceof ProtocolError)) {
      deps.log("error", "mcp.failed", { method: call.envelope.method, ...errorFields(error) });
      call.finished.resolve({ outcome: "error", code: "internal" });
      throw new ProtocolError(
        JSON_RPC.internalError,
        "The gateway failed to answer. Try again. If that does not help, tell its operator.",
      );
    }
    // Headers that contradict the body are a 400 (MCP 2026-07-28, transports, server validation), also when an upstream
    // finds them.
    if (answer.code === JSON_RPC.headerMismatch) call.errorStatus = 400;
    const { code } = (answer.data ?? {}) as { code?: string };
    call.finished.resolve({ outcome: "error", code: code ?? String(answer.code) });
    throw answer;
  }
}

function outcomeOf(result: Result): Outcome {
  return "isError" in result && result["isError"] === true
    ? { outcome: "error", code: "tool_error" }
    : { outcome: "ok", code: null };
}

function unknownTool(name: string): ProtocolError {
  return new ProtocolError(JSON_RPC.invalidParams, `Unknown tool: ${name.slice(0, 128)}`, { code: "unknown_tool" });
}

function toolCaller({ principal }: Call): ToolCaller {
  const { userId, tenantId, scopes, credential, clientId } = principal;
  return { userId, tenantId, scopes: [...scopes], credential, clientId };
}

/** Whether a caller has the scopes that a tool needs. Tools of upstreams need none beside those of the request. */
const hasScopesOf = (principal: Principal, name: string): boolean =>
  missingScopes(principal, builtinToolNamed(name)?.scopes ?? []).length === 0;
