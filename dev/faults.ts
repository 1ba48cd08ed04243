const MODES = ["down", "reset-before", "reset-after-commit", "garbage", "500"] as const;

/**
 * How a request goes wrong. `down`: the connection is destroyed at once, unread. `reset-before`: the request is read,
 * the connection destroyed, nothing executed. `reset-after-commit`: executed, then the connection is destroyed instead
 * of an answer. `garbage`: status 200 with a body that is not JSON, nothing executed. `500`: status 500, nothing
 * executed.
 */
type FaultMode = (typeof MODES)[number];

/**
 * A fault as `POST /faults` sets it. With `nth` it hits only the nth request from then on (1 = the next) and is spent.
 */
export interface Fault {
  latencyMs?: number;
  mode?: FaultMode;
  nth?: number;
}

/** The two endpoints that count requests and take faults. */
const TARGETS = ["neon", "upstash"] as const;
export type Target = (typeof TARGETS)[number];

/** Thrown for an invalid fault description. The message says what is allowed. */
export class InvalidFault extends Error {}

const MAX_LATENCY_MS = 600_000;

/**
 * Reads the body of `POST /faults`: `{"neon": fault, "upstash": fault}`, either of them optional. Throws
 * `InvalidFault`.
 */
export function parseFaults(input: unknown): Partial<Record<Target, Fault>> {
  const faults: Partial<Record<Target, Fault>> = {};
  for (const [name, value] of Object.entries(requireObject(input, "the body"))) {
    const target = TARGETS.find((candidate) => candidate === name);
    if (target === undefined) throw new InvalidFault(`unknown target "${name}": use ${TARGETS.join(" or ")}`);
    faults[target] = parseFault(requireObject(value, `"${name}"`));
  }
  return faults;
}

function parseFault(fields: Record<string, unknown>): Fault {
  const { latencyMs, mode, nth, ...unknown } = fields;
  const fault: Fault = {};
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) throw new InvalidFault(`unknown field "${extra}": use latencyMs, mode, nth`);
  if (latencyMs !== undefined) {
    if (typeof latencyMs !== "number" || !(latencyMs >= 0 && latencyMs <= MAX_LATENCY_MS)) {
      throw new InvalidFault(`latencyMs must be a number of milliseconds from 0 to ${MAX_LATENCY_MS}`);
    }
    fault.latencyMs = latencyMs;
  }
  if (mode !== undefined) {
    const known = MODES.find((candidate) => candidate === mode);
    if (known === undefined) throw new InvalidFault(`unknown mode ${JSON.stringify(mode)}: use ${MODES.join(", ")}`);
    fault.mode = known;
  }
  if (nth !== undefined) {
    if (!Number.isInteger(nth) || Number(nth) < 1) {
      throw new InvalidFault("nth must be an integer from 1 (the next request) upwards");
    }
    fault.nth = Number(nth);
  }
  if (fault.mode === undefined && fault.latencyMs === undefined) {
    throw new InvalidFault("a fault needs latencyMs or mode; DELETE /faults removes all");
  }
  return fault;
}

function requireObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidFault(`${what} must be a JSON object`);
}
