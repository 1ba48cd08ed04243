import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { Controls } from "./controls.ts";
import type { Fault, Target } from "./faults.ts";
import {
  BodyTooLarge,
  readBody,
  sendJson,
  startHttpServer,
  type JsonAnswer,
  type RunningServer,
} from "./http-server.ts";

/** An answer that stays open: `open` takes the response over. */
export interface StreamAnswer {
  open(response: ServerResponse): void;
}

/** A request that was read but not executed: one label per statement or command, and a function that executes it. */
export interface Exchange {
  labels: string[];
  execute(): Promise<JsonAnswer | StreamAnswer>;
}

interface Endpoint {
  target: Target;
  controls: Controls;
  port?: number | undefined;
  maxBodyBytes: number;
  /** Parses a request without executing anything; must not throw. */
  read(request: IncomingMessage, body: Buffer): Exchange;
  /** The JSON body of an error that comes from the endpoint itself, in the form the client expects. */
  failure(message: string): unknown;
}

/** Serves an endpoint. Its requests are counted and logged, and may get a fault that the controls have set. */
export function startEndpoint(endpoint: Endpoint): Promise<RunningServer> {
  const { controls, target } = endpoint;
  return startHttpServer({
    port: endpoint.port,
    async handle(request, response) {
      const at = controls.now();
      const fault = controls.takeFault(target);
      if (fault?.mode === "down") {
        controls.record({ at, to: target, n: 0, what: [] });
        request.socket.destroy();
        return;
      }
      const exchange = await readExchange(endpoint, request);
      controls.record({ at, to: target, n: exchange.labels.length, what: exchange.labels });
      if (fault?.latencyMs !== undefined) await delay(fault.latencyMs, undefined, { ref: false });
      if (fault !== undefined && failsUnexecuted(endpoint, fault, response)) return;
      const answer = await exchange.execute();
      if ("open" in answer) answer.open(response);
      if (fault?.mode === "reset-after-commit") response.destroy();
      else if ("json" in answer) sendJson(response, answer);
    },
  });
}

async function readExchange(endpoint: Endpoint, request: IncomingMessage): Promise<Exchange> {
  try {
    return endpoint.read(request, await readBody(request, endpoint.maxBodyBytes));
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    const headers = { connection: "close" };
    return { labels: [], execute: async () => ({ status: 413, json: endpoint.failure(error.message), headers }) };
  }
}

/** Answers with the faults that leave the request unexecuted; false when the request is to be executed. */
function failsUnexecuted(endpoint: Endpoint, fault: Fault, response: ServerResponse): boolean {
  switch (fault.mode) {
    case "reset-before":
      response.destroy();
      return true;
    case "garbage":
      response.writeHead(200, { "content-type": "text/html" }).end("<html><body>not what you asked for</body></html>");
      return true;
    case "500":
      sendJson(response, { status: 500, json: endpoint.failure("fault 500 set by POST /faults") });
      return true;
    case "down":
    case "reset-after-commit":
    case undefined:
      break;
  }
  return false;
}
