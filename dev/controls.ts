import { Redis } from "ioredis";
import { InvalidFault, parseFaults, type Fault, type Target } from "./faults.ts";
import { readBody, sendJson, startHttpServer, type JsonAnswer, type RunningServer } from "./http-server.ts";

/**
 * One request to an endpoint: its time of arrival (epoch milliseconds, with fraction), and the number and labels of its
 * statements or commands.
 */
interface LoggedRequest {
  at: number;
  to: Target;
  n: number;
  what: string[];
}

/**
 * Counts since the last reset; `log` is the last 10,000 requests, oldest first, in the order in which they were read.
 */
export interface Stats {
  sqlRequests: number;
  sqlStatements: number;
  redisRequests: number;
  redisCommands: number;
  log: LoggedRequest[];
}

/** Shared by both endpoints: they report requests to it and get faults from it. */
export interface Controls {
  /** Epoch milliseconds with fraction, in step with `Date.now()`. */
  now(): number;
  record(request: LoggedRequest): void;
  stats(): Stats;
  resetStats(): void;
  /** The fault for a request that has just arrived at `target`; counts towards `nth`. */
  takeFault(target: Target): Fault | undefined;
  /** Sets the faults that `faults` names; a target it does not name keeps its own. Returns all faults now set. */
  setFaults(faults: Partial<Record<Target, Fault>>): Partial<Record<Target, Fault>>;
  clearFaults(): void;
}

const LOG_LIMIT = 10_000;

/** Fresh controls: counts at zero, no faults. */
export function createControls(): Controls {
  const now = createClock();
  let log: LoggedRequest[] = [];
  let counts = { sqlRequests: 0, sqlStatements: 0, redisRequests: 0, redisCommands: 0 };
  const faults = new Map<Target, Fault>();
  return {
    now,
    record(request) {
      if (request.to === "neon") {
        counts.sqlRequests += 1;
        counts.sqlStatements += request.n;
      } else {
        counts.redisRequests += 1;
        counts.redisCommands += request.n;
      }
      log.push(request);
      if (log.length >= 2 * LOG_LIMIT) log = log.slice(-LOG_LIMIT);
    },
    stats: () => ({ ...counts, log: log.slice(-LOG_LIMIT) }),
    resetStats() {
      counts = { sqlRequests: 0, sqlStatements: 0, redisRequests: 0, redisCommands: 0 };
      log = [];
    },
    takeFault(target) {
      const fault = faults.get(target);
      if (fault?.nth === undefined) return fault;
      if (fault.nth > 1) {
        faults.set(target, { ...fault, nth: fault.nth - 1 });
        return undefined;
      }
      faults.delete(target);
      return fault;
    },
    setFaults(changes) {
      for (const target of Object.keys(changes) as Target[]) {
        const fault = changes[target];
        if (fault !== undefined) faults.set(target, fault);
      }
      return Object.fromEntries(faults);
    },
    clearFaults: () => faults.clear(),
  };
}

/**
 * A clock in step with `Date.now()`. `performance.now()` is finer but stops while a laptop sleeps, so it is
 * synchronized again when the two differ.
 */
function createClock(): () => number {
  let offset = Date.now() - performance.now();
  return () => {
    const drift = Date.now() - (offset + performance.now());
    if (Math.abs(drift) > 2) offset += drift;
    return offset + performance.now();
  };
}

/**
 * Serves the controls over HTTP: `GET /stats`, `POST /stats/reset`, `POST /faults`, `DELETE /faults`, `GET /mailbox`,
 * `DELETE /mailbox`. The mailbox is the Redis list `keyPrefix + mailboxKey`; each element is an email as JSON, newest
 * first.
 */
export async function startControls(options: {
  controls: Controls;
  redisUrl: string;
  keyPrefix?: string | undefined;
  mailboxKey: string;
  port?: number | undefined;
}): Promise<RunningServer & { url: string }> {
  const { controls } = options;
  const redis = new Redis(options.redisUrl, { lazyConnect: true, maxRetriesPerRequest: 2 });
  redis.on("error", () => {}); // Every command reports its own failure.
  const mailbox = (options.keyPrefix ?? "") + options.mailboxKey;

  const routes: Record<string, (body: Buffer) => unknown> = {
    "GET /stats": () => controls.stats(),
    "POST /stats/reset": () => {
      controls.resetStats();
      return { reset: true };
    },
    "POST /faults": (body) => ({ faults: controls.setFaults(parseFaults(parseJson(body))) }),
    "DELETE /faults": () => {
      controls.clearFaults();
      return { faults: {} };
    },
    "GET /mailbox": async () => (await redis.lrange(mailbox, 0, -1)).map(parseMail),
    "DELETE /mailbox": async () => ({ deleted: (await redis.del(mailbox)) === 1 }),
  };
  const answer = async (route: string, body: Buffer): Promise<JsonAnswer> => {
    const run = routes[route];
    if (run === undefined)
      return { status: 404, json: { error: `no ${route}; there is ${Object.keys(routes).join(", ")}` } };
    try {
      return { status: 200, json: await run(body) };
    } catch (error) {
      return { status: error instanceof InvalidFault ? 400 : 500, json: { error: (error as Error).message } };
    }
  };

  const server = await startHttpServer({
    port: options.port,
    async handle(request, response) {
      const body = await readBody(request, 1_000_000);
      sendJson(response, await answer(`${request.method} ${request.url?.replace(/\?.*/, "")}`, body));
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port,
    async stop() {
      await server.stop();
      redis.disconnect();
    },
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new InvalidFault("the body must be JSON");
  }
}

function parseMail(element: string, index: number): unknown {
  try {
    return JSON.parse(element);
  } catch {
    throw new Error(`element ${index} of the mailbox is not JSON: ${element.slice(0, 100)}`);
  }
}
