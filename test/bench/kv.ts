import { setTimeout as delay } from "node:timers/promises";
import { readBody, startHttpServer } from "../../dev/http-server.ts";

/** A KV namespace as workerd speaks to one: `GET`, `PUT` and `DELETE` of `/{key}`. Lists and expiry are not needed here. */
export interface KvStub {
  port: number;
  /** When each operation since the last call arrived, in epoch milliseconds. */
  taken: () => number[];
  setLatency: (ms: number) => void;
  stop: () => Promise<void>;
}

/** Serves an empty namespace on 127.0.0.1. */
export async function startKv(): Promise<KvStub> {
  const values = new Map<string, Buffer>();
  let arrivals: number[] = [];
  let latencyMs = 0;
  const server = await startHttpServer({
    async handle(request, response) {
      arrivals.push(performance.timeOrigin + performance.now());
      const { pathname } = new URL(request.url ?? "", "http://kv");
      const body = await readBody(request, 1_000_000);
      if (latencyMs > 0) await delay(latencyMs);
      if (request.method === "PUT") values.set(pathname, body);
      if (request.method === "DELETE") values.delete(pathname);
      const value = request.method === "GET" ? values.get(pathname) : Buffer.alloc(0);
      response.writeHead(value === undefined ? 404 : 200).end(value);
    },
  });
  return {
    port: server.port,
    taken: () => {
      const taken = arrivals;
      arrivals = [];
      return taken;
    },
    setLatency: (ms) => void (latencyMs = ms),
    stop: () => server.stop(),
  };
}
