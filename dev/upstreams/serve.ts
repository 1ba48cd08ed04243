import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  type McpServer,
  type ServerNotifier,
} from "@modelcontextprotocol/server";

/** What a factory gets for each request: the protocol generation it serves, and a way to announce changes. */
export interface UpstreamContext {
  era: "legacy" | "modern";
  notify: ServerNotifier;
}

/** Builds a fresh server for every request; state that outlives a request stays in the factory's closure. */
export type UpstreamFactory = (context: UpstreamContext) => McpServer;

/** A listening upstream. `stop` ends its open streams and resolves once the port is free. */
export interface RunningUpstream {
  /** The MCP endpoint, for example `http://127.0.0.1:4001/mcp`. */
  url: string;
  port: number;
  stop: () => Promise<void>;
}

/**
 * Serves one MCP server at `http://127.0.0.1:<port>/mcp`, to clients of 2026-07-28 and (without sessions) of 2025.
 * Port 0, the default, takes any free one. Rejects when the port cannot be bound.
 */
export async function startUpstream({
  name,
  factory,
  port = 0,
}: {
  name: string;
  factory: UpstreamFactory;
  port?: number;
}): Promise<RunningUpstream> {
  const handler = createMcpHandler(({ era }) => factory({ era, notify: handler.notify }));
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing, handler.fetch).catch((error: unknown) => {
      console.error(`Upstream "${name}" failed to answer ${incoming.method} ${incoming.url}:`, error);
      if (!outgoing.headersSent) outgoing.writeHead(500);
      outgoing.end();
    });
  });
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Error(`Upstream "${name}" cannot listen on 127.0.0.1:${port}: free that port or choose another one.`, {
      cause: error,
    });
  }
  const bound = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${bound}/mcp`,
    port: bound,
    stop: async () => {
      await handler.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  serve: (request: Request) => Promise<Response>,
): Promise<void> {
  const disconnected = new AbortController();
  outgoing.once("close", () => disconnected.abort());
  const request = await toRequest(incoming, disconnected.signal);
  if (request === undefined) return;
  const response =
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins()) ??
    (new URL(request.url).pathname === "/mcp"
      ? await serve(request)
      : new Response("This server's MCP endpoint is /mcp.", { status: 404 }));
  if (disconnected.signal.aborted) return;
  outgoing.writeHead(response.status, [...response.headers].flat());
  outgoing.flushHeaders();
  if (response.body === null) {
    outgoing.end();
    return;
  }
  const body = Readable.fromWeb(response.body as unknown as NodeReadableStream);
  await pipeline(body, outgoing, { signal: disconnected.signal }).catch((error: unknown) => {
    if (!disconnected.signal.aborted) throw error;
  });
}

/** Undefined when the client went away before its request was complete. */
async function toRequest(incoming: IncomingMessage, signal: AbortSignal): Promise<Request | undefined> {
  const headers = new Headers();
  for (const [header, values] of Object.entries(incoming.headersDistinct)) {
    for (const value of values ?? []) headers.append(header, value);
  }
  const body = await buffer(incoming).catch(() => undefined);
  if (body === undefined) return undefined;
  const method = incoming.method ?? "GET";
  return new Request(new URL(incoming.url ?? "/", "http://127.0.0.1"), {
    method,
    headers,
    signal,
    ...(method === "GET" || method === "HEAD" ? {} : { body }),
  });
}
