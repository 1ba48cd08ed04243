import type { Name } from "./contestants.ts";
import type { Goal } from "./goals.ts";
import type { Results, Setting } from "./results.ts";
import type { Spread } from "./statistics.ts";
import type { Trips } from "./trips.ts";

/** Median and quartiles as text: `1.41 [1.36–1.46]`. */
const shown = ({ median, low, high }: Spread, digits = 2): string =>
  Number.isNaN(median) ? "–" : `${median.toFixed(digits)} [${low.toFixed(digits)}–${high.toFixed(digits)}]`;

const requests = ({ redis, sql, kv }: Trips, digits: number) =>
  [
    [redis, "Redis"],
    [sql, "SQL"],
    [kv, "KV"],
  ]
    .filter(([count]) => Number(count) > 0)
    .map(([count, store]) => `${Number(count).toFixed(digits)} ${store}`)
    .join(", ") || "none";

/** The tables as Markdown, for the console and for `docs/benchmarks.md`. */
export function report(results: Results): string {
  const { machine } = results;
  const where = `${machine.cpus} cores, ${machine.platform}, Postgres ${machine.postgres}, Redis ${machine.redis}, ${results.at.slice(0, 10)}`;
  return [
    `${where}; median [quartiles] of pairs with the bare Worker`,
    ...results.settings.flatMap((setting) => [heading(setting), comparison(setting), against(setting)]),
    "### One warm call, and the first",
    calls(results),
  ].join("\n\n");
}

/** One line for each goal. */
export const verdict = (goals: readonly Goal[]): string =>
  table(
    ["goal", "", "figure"],
    goals.map(({ goal, figure, reached }) => [goal, reached ? "reached" : "**not reached**", figure]),
  );

const heading = ({ latency }: Setting) => `### Redis and KV +${latency.redis} ms, Postgres +${latency.postgres} ms`;

const comparison = ({ compared, overallCpuTimes }: Setting) =>
  table(
    [
      "",
      "latency, ms",
      "added, ms",
      "latency × bare",
      "throughput × bare",
      "CPU, ms per 1000 calls",
      "CPU × bare",
      "CPU × bare, overall",
    ],
    Object.entries(compared).map(([name, one]) => [
      name,
      shown(one.latencyMs),
      shown(one.addedLatencyMs),
      shown(one.latencyTimes),
      shown(one.throughputTimes),
      shown(one.cpuMsPerThousand, 0),
      shown(one.cpuTimes),
      (overallCpuTimes[name as Name] ?? Number.NaN).toFixed(2),
    ]),
  );

const against = ({ versus }: Setting) =>
  table(
    ["", "times its latency", "times its CPU", "difference of latency, ms"],
    Object.entries(versus).map(([names, one]) => [
      names,
      shown(one.latency),
      shown(one.cpu),
      shown(one.addedLatencyMs),
    ]),
  );

const calls = ({ gzipKiB, trips, coldStarts }: Results) =>
  table(
    [
      "",
      "before the answer",
      "of those in sequence",
      "after the answer",
      "bundle, gzip KiB",
      "start to first answer, ms",
      "CPU until then, ms",
    ],
    Object.keys(gzipKiB).map((key) => {
      const name = key as Name;
      const counted = trips[name];
      const cold = coldStarts[name];
      return [
        name,
        counted ? requests(counted.beforeAnswer, 0) : "none",
        String(counted?.inSequence ?? 0),
        counted ? requests(counted.afterAnswer, 2) : "none",
        (gzipKiB[name] ?? Number.NaN).toFixed(0),
        cold ? shown(cold.ms, 0) : "–",
        cold ? shown(cold.cpuMs, 0) : "–",
      ];
    }),
  );

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, 3, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
