import type { ColdStart } from "./cold-start.ts";
import type { Name } from "./contestants.ts";
import type { Compared, Versus } from "./pairs.ts";
import type { CountedTrips } from "./trips.ts";

/** What is added to every answer of the stores, in milliseconds; KV gets what Redis gets. */
export interface Latency {
  redis: number;
  postgres: number;
}

/** Everything measured under one latency of the stores. */
export interface Setting {
  latency: Latency;
  compared: Partial<Record<Name, Compared>>;
  /** CPU of workerd for each of its calls, what came long after the answers included, as times that of the bare one. */
  overallCpuTimes: Partial<Record<Name, number>>;
  /** The gateway against an alternative, as `{gateway} / {alternative}`. */
  versus: Record<string, Versus>;
}

/** What `npm run bench` leaves in `.local/bench.json`. */
export interface Results {
  at: string;
  quick: boolean;
  machine: { cpus: number; node: string; platform: string; postgres: string; redis: string };
  gzipKiB: Partial<Record<Name, number>>;
  trips: Partial<Record<Name, CountedTrips>>;
  settings: Setting[];
  coldStarts: Partial<Record<Name, ColdStart>>;
}
