import {
  Client,
  ProtocolError,
  StreamableHTTPClientTransport,
  type ClientCapabilities,
  type PriorDiscovery,
  type RequestOptions,
  type ServerCapabilities,
} from "@modelcontextprotocol/client";
import * as z from "zod/v4";
import { expiringMap } from "../platform/bounded-map.ts";
import { OutboundRefused, type Outbound } from "../platform/outbound/outbound.ts";
import type { Upstream } from "./servers.ts";

/**
 * An upstream could not be reached or gave no MCP answer. `message` is our own text and safe to show; the cause is for
 * the log.
 */
export class UpstreamUnavailable extends Error {
  override readonly name = "UpstreamUnavailable";
  readonly slug: string;

  constructor(slug: string, message: string, cause: unknown) {
    super(message, { cause });
    this.slug = slug;
  }
}

/** What an upstream may know about the caller: an opaque user id, never a credential. */
export interface UpstreamCaller {
  userId: string;
  capabilities: ClientCapabilities;
  /** `Mcp-Param-*` headers of the caller's request, which intermediaries must forward (MCP 2026-07-28, transports). */
  paramHeaders: Readonly<Record<string, string>>;
}

export type UpstreamRequestOptions = Pick<RequestOptions, "signal" | "onprogress">;

/** An open connection to one upstream, for one request to the gateway. */
export interface UpstreamConnection {
  capabilities: ServerCapabilities;
  instructions: string | undefined;
  onLog: (forward: (params: Record<string, unknown>) => void) => void;
  request: (
    method: string,
    params: Record<string, unknown>,
    options?: UpstreamRequestOptions,
  ) => Promise<Record<string, unknown>>;
  close: () => Promise<void>;
}

export type ConnectUpstream = (upstream: Upstream, caller: UpstreamCaller) => Promise<UpstreamConnection>;

const VERDICT_MS = 300_000;
const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_VERDICTS = 1_000;
const anyResult = z.looseObject({});

/**
 * Connects to upstreams of either MCP generation. The isolate remembers for five minutes which generation an upstream
 * speaks, so that a call to a 2026-07-28 server is one HTTP request.
 */
export function upstreamConnector(outbound: Outbound, now: () => number = Date.now): ConnectUpstream {
  const verdicts = expiringMap<PriorDiscovery>(MAX_VERDICTS, VERDICT_MS);

  return async (upstream, caller) => {
    const key = `${upstream.id} ${upstream.url}`;
    const prior = verdicts.get(key, now());
    const client = new Client(
      { name: "mcp-registry-gateway", version: "1" },
      {
        // A server of the older generation would send requests to us, which we cannot pass to its caller. So offer no
        // capabilities.
        capabilities: prior?.kind === "legacy" ? {} : caller.capabilities,
        versionNegotiation: { mode: "auto" },
        inputRequired: { autoFulfill: false },
      },
    );
    const transport = new StreamableHTTPClientTransport(new URL(upstream.url), {
      fetch: withoutStandaloneStream(outbound),
      requestInit: { headers: { ...caller.paramHeaders, "x-mrg-user": caller.userId } },
    });
    try {
      await client.connect(transport, { timeout: CONNECT_TIMEOUT_MS, ...(prior && { prior }) });
    } catch (error) {
      verdicts.delete(key);
      throw unavailable(upstream, error);
    }
    if (!prior) {
      const discover = client.getDiscoverResult();
      verdicts.set(key, discover ? { kind: "modern", discover } : { kind: "legacy" }, now());
    }
    return connection(upstream, client);
  };
}

function connection(upstream: Upstream, client: Client): UpstreamConnection {
  return {
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
    onLog: (forward) => client.setNotificationHandler("notifications/message", ({ params }) => forward({ ...params })),
    request: async (method, params, options = {}) => {
      try {
        return await client.request({ method, params }, anyResult, {
          ...options,
          allowInputRequired: true,
          timeout: REQUEST_TIMEOUT_MS,
          maxTotalTimeout: REQUEST_TIMEOUT_MS * 4,
          resetTimeoutOnProgress: true,
        });
      } catch (error) {
        if (error instanceof ProtocolError) throw error;
        throw unavailable(upstream, error);
      }
    },
    close: () => client.close(),
  };
}

/**
 * Answers the GET stream that the SDK opens after `initialize` with 405, as a server without one would. A gateway does
 * not need it.
 */
function withoutStandaloneStream(outbound: Outbound): Outbound {
  return (url, init) =>
    init?.method === "GET" ? Promise.resolve(new Response(null, { status: 405 })) : outbound(url, init);
}

function unavailable(upstream: Upstream, cause: unknown): UpstreamUnavailable {
  const blocked = [cause, cause instanceof Error ? cause.cause : undefined].some(
    (error) => error instanceof OutboundRefused,
  );
  const why = blocked ? "its address is not allowed" : "it could not be reached or did not give an MCP answer";
  return new UpstreamUnavailable(
    upstream.slug,
    `The server "${upstream.slug}" is unavailable: ${why}. Other servers are not affected.`,
    cause,
  );
}
