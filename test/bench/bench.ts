// `npm run bench`: what an authenticated, limited and audited call costs beside one that is none of it, and beside what one would
// build of ready-made parts. `--quick` takes a minute and is good for finding out whether something is badly wrong; `--large` measures the
// registry with 100,000 servers too.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { coldStarts } from "./cold-start.ts";
import { contestants, start, type Name, type Running } from "./contestants.ts";
import { disturbances, goals } from "./goals.ts";
import { startKv } from "./kv.ts";
import { measureLarge } from "./large.ts";
import { compare, measurePairs, versus, warmUp, type Effort } from "./pairs.ts";
import { report, verdict } from "./report.ts";
import type { Latency, Results, Setting } from "./results.ts";
import { startBenchStack } from "./stack.ts";
import { countTrips, type CountedTrips } from "./trips.ts";

const OUT = resolve(".local");
const LATENCIES: readonly Latency[] = [
  { redis: 0, postgres: 0 },
  { redis: 2, postgres: 5 },
];
const GATEWAY: readonly Name[] = ["gateway, key", "gateway, token"];
const RIVALS: readonly Name[] = ["bare + PING", "verifyApiKey + limits", "JWT + limits", "oauth-provider"];
const STORELESS: readonly Name[] = ["bare", "bare again"];

const quick = process.argv.includes("--quick");
const effort: Effort = quick ? { sliceMs: 200, pairs: 2 } : { sliceMs: 600, pairs: 6 };
const paced = quick ? { seconds: 1, drainMs: 300 } : { seconds: 2, drainMs: 1_500 };
const warm = quick ? { calls: 1_000, maxMs: 2_000 } : { calls: 3_000, maxMs: 6_000 };
const starts = quick ? 1 : 5;

const say = (text: string) => console.log(`${Math.round(performance.now() / 1000)} s: ${text}`);

mkdirSync(resolve(OUT, "bench"), { recursive: true });
say("the local stack starts");
const stack = await startBenchStack();
const kv = await startKv();
const running: Running[] = [];
const stopAll = async () => {
  for (const one of running.splice(0)) await one.stop();
};
try {
  say("the Workers are bundled and get their credentials");
  const all = await contestants(stack, kv, resolve(OUT, "bench"));
  for (const one of all) running.push(await start(one));

  say("round trips are counted");
  const trips = new Map<Name, CountedTrips>();
  for (const one of running.filter(({ name }) => !STORELESS.includes(name)))
    trips.set(one.name, await countTrips(one, { stack, kv, ...paced }));

  say("all are warmed up");
  await warmUp(running, warm.calls, warm.maxMs);
  const settings: Setting[] = [];
  for (const latency of LATENCIES) {
    say(`pairs are measured with Redis +${latency.redis} ms, Postgres +${latency.postgres} ms`);
    await stack.setLatency(latency);
    kv.setLatency(latency.redis);
    const [bare, ...others] = running;
    if (!bare) throw new Error("there is nothing to measure");
    const { pairs, overallCpuMs } = await measurePairs([bare, ...others], effort);
    const bareCpuMs = overallCpuMs.get(bare.name) ?? Number.NaN;
    const compared = Object.fromEntries([...pairs].map(([name, measured]) => [name, compare(measured)]));
    const against = GATEWAY.flatMap((own) =>
      RIVALS.map((rival) => [`${own} / ${rival}`, versus(pairs.get(own) ?? [], pairs.get(rival) ?? [])] as const),
    );
    settings.push({
      latency,
      compared,
      overallCpuTimes: Object.fromEntries([...overallCpuMs].map(([name, ms]) => [name, ms / bareCpuMs])),
      versus: Object.fromEntries(against),
    });
  }
  await stack.setLatency({ redis: 0, postgres: 0 });
  kv.setLatency(0);
  await stopAll();

  say("cold starts are measured");
  const cold = await coldStarts(
    all.filter(({ name }) => name !== "bare again"),
    starts,
  );
  const results: Results = {
    at: new Date().toISOString(),
    quick,
    machine: {
      cpus: availableParallelism(),
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      ...stack.servers,
    },
    gzipKiB: Object.fromEntries(all.map(({ name, workerd }) => [name, workerd.bundle.gzipKiB])),
    trips: Object.fromEntries(trips),
    settings,
    coldStarts: Object.fromEntries(cold),
  };
  const reached = goals(results);
  console.log(`\n${report(results)}\n\n${verdict(reached)}\n`);
  for (const disturbance of disturbances(settings)) console.log(`Not to be trusted: ${disturbance}.\n`);
  if (stack.servers.redis === "embedded")
    console.log(
      "The embedded Redis runs scripts slower than Redis does: compare with alternatives on a real one (REDIS_URL).\n",
    );
  const large = process.argv.includes("--large")
    ? await measureLarge(stack, { servers: quick ? 10_000 : 100_000, say })
    : undefined;
  if (large) console.log(`\n${verdict(large.goals)}\n`);
  writeFileSync(resolve(OUT, "bench.json"), `${JSON.stringify({ ...results, goals: reached, large }, null, 2)}\n`);
  say(`all of it is in ${resolve(OUT, "bench.json")}`);
} finally {
  await stopAll();
  await kv.stop();
  await stack.stop();
}
