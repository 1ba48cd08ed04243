import type { Results, Setting } from "./results.ts";

/** One line of the verdict. */
export interface Goal {
  goal: string;
  figure: string;
  reached: boolean;
}

/** Differences of sequential latency below this are noise: what two runs of one bundle differed by on a machine with two shared cores. */
export const NOISE_MS = 0.7;

const GATEWAY = ["gateway, key", "gateway, token"] as const;
const PING = "bare + PING";
const RIVAL = "verifyApiKey + limits";
const LIMITS = { cpu: 1.7, cpuWithOutcome: 2.1, throughput: 0.6, throughputWithOutcome: 0.5 };
const OF_RIVAL = { latency: 1 / 4, cpu: 1 / 3 };
const AFTER = { redis: 0.2, sql: 0.1 };

const CONTROL = "bare again";
const CONTROL_OFF = { times: 0.15, latencyMs: NOISE_MS / 2 };

/** Why figures of these settings are not to be trusted: the control, a second process of the bare bundle, was not like the first. */
export function disturbances(settings: readonly Setting[]): string[] {
  return settings.flatMap(({ latency, compared }) => {
    const control = compared[CONTROL];
    const off = (times: number | undefined) => times === undefined || Math.abs(times - 1) > CONTROL_OFF.times;
    const added = control?.addedLatencyMs.median ?? Number.NaN;
    const wrong = [
      ...(Math.abs(added) <= CONTROL_OFF.latencyMs ? [] : [`${added.toFixed(2)} ms slower`]),
      ...(off(control?.throughputTimes.median)
        ? [`throughput ×${control?.throughputTimes.median.toFixed(2) ?? "?"}`]
        : []),
      ...(off(control?.cpuTimes.median) ? [`CPU ×${control?.cpuTimes.median.toFixed(2) ?? "?"}`] : []),
    ];
    return wrong.length === 0 ? [] : [`Redis +${latency.redis} ms: the same bundle again had ${wrong.join(", ")}`];
  });
}

/** What an admitted and audited call may cost, each with the figure that was measured; a figure that is missing is not reached. */
export function goals(results: Pick<Results, "settings" | "trips">): Goal[] {
  return [...tripGoals(results), ...results.settings.flatMap(settingGoals)];
}

function tripGoals({ trips }: Pick<Results, "trips">): Goal[] {
  return GATEWAY.flatMap((name) => {
    const { beforeAnswer, afterAnswer } = trips[name] ?? {};
    const before = { redis: beforeAnswer?.redis ?? Number.NaN, sql: beforeAnswer?.sql ?? Number.NaN };
    const after = { redis: afterAnswer?.redis ?? Number.NaN, sql: afterAnswer?.sql ?? Number.NaN };
    return [
      {
        goal: `${name}: a warm call waits for one Redis request and no SQL`,
        figure: `${before.redis} Redis, ${before.sql} SQL`,
        reached: before.redis <= 1 && before.sql === 0,
      },
      {
        goal: `${name}: after the answer at most ${AFTER.redis} Redis and ${AFTER.sql} SQL requests a call`,
        figure: `${after.redis.toFixed(2)} Redis, ${after.sql.toFixed(2)} SQL`,
        reached: after.redis <= AFTER.redis && after.sql <= AFTER.sql,
      },
    ];
  });
}

function settingGoals({ latency, compared, versus }: Setting): Goal[] {
  const place = `Redis +${latency.redis} ms, Postgres +${latency.postgres} ms`;
  const atMost = (goal: string, measured: number | undefined, limit: number, unit: string): Goal => ({
    goal: `${goal} (${place})`,
    figure: `${unit === "×" ? "×" : ""}${(measured ?? Number.NaN).toFixed(2)}${unit === "×" ? "" : ` ${unit}`}`,
    reached: measured !== undefined && measured <= limit,
  });
  return GATEWAY.flatMap((name) => {
    const own = compared[name];
    const throughput = (limit: number, what: string): Goal => ({
      ...atMost(`${name}: throughput at least ${limit} × bare${what}`, own?.throughputTimes.median, Infinity, "×"),
      reached: own !== undefined && own.throughputTimes.median >= limit,
    });
    const rival = versus[`${name} / ${RIVAL}`];
    return [
      atMost(
        `${name}: latency of bare and one round trip, within ${NOISE_MS} ms of bare and a PING`,
        versus[`${name} / ${PING}`]?.addedLatencyMs.median,
        NOISE_MS,
        "ms more",
      ),
      atMost(`${name}: CPU at most ${LIMITS.cpu} × bare`, own?.cpuTimes.median, LIMITS.cpu, "×"),
      atMost(
        `${name}: CPU at most ${LIMITS.cpuWithOutcome} × bare, outcome recorded`,
        own?.cpuTimes.median,
        LIMITS.cpuWithOutcome,
        "×",
      ),
      throughput(LIMITS.throughput, ""),
      throughput(LIMITS.throughputWithOutcome, ", outcome recorded"),
      // Next to the stores the runtime's own time weighs more than the round trips, which are what differs.
      ...(latency.redis > 0
        ? [
            atMost(`${name}: a quarter of the latency of ${RIVAL}`, rival?.latency.median, OF_RIVAL.latency, "×"),
            atMost(`${name}: a third of the CPU of ${RIVAL}`, rival?.cpu.median, OF_RIVAL.cpu, "×"),
          ]
        : []),
    ];
  });
}
