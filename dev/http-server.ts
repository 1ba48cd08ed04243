import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** An HTTP answer whose body is one JSON value. */
export interface JsonAnswer {
  status: number;
  json: unknown;
  headers?: Record<string, string>;
}

/** A server that listens on 127.0.0.1. `stop` lets running requests finish for up to a second, then cuts them off. */
export interface RunningServer {
  port: number;
  stop(): Promise<void>;
}

/** Thrown by `readBody` for a body beyond the limit; answer it with status 413. */
export class BodyTooLarge extends Error {}

const GRACE_MS = 1_000;

/**
 * Serves `handle` on 127.0.0.1. `port` 0 (the default) takes a free one; a taken port rejects with what to do about it.
 * A request counts as running until `handle` resolves, so a handler that leaves a stream open must resolve at once.
 */
export async function startHttpServer(options: {
  port?: number | undefined;
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}): Promise<RunningServer> {
  const running = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const done = options.handle(request, response).catch((error: unknown) => {
      if (!request.destroyed) console.error(error); // Otherwise the client went away.
      response.destroy();
    });
    running.add(done);
    void done.finally(() => running.delete(done));
  });
  // Clients reuse connections; closing idle ones early would look like a fault.
  server.keepAliveTimeout = 60_000;

  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(
        taken ? new Error(`port ${options.port} of 127.0.0.1 is taken: stop what uses it or choose another`) : error,
      );
    });
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.race([Promise.all(running), delay(GRACE_MS, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The whole request body. Throws `BodyTooLarge` as soon as more than `limit` bytes have come. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new BodyTooLarge(`request is too large (max is ${limit} bytes)`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Sends a JSON answer. */
export function sendJson(response: ServerResponse, answer: JsonAnswer): void {
  response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
  response.end(JSON.stringify(answer.json));
}
