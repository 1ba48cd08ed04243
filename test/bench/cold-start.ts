import { start, type Contestant, type Name } from "./contestants.ts";
import { spread, type Spread } from "./statistics.ts";

/** From the start of the process to the first answered call. */
export interface ColdStart {
  ms: Spread;
  /** CPU of workerd until then. */
  cpuMs: Spread;
}

/** Starts each contestant so many times, in turns. None may be running: they use their own ports. */
export async function coldStarts(contestants: readonly Contestant[], times: number): Promise<Map<Name, ColdStart>> {
  const samples = new Map(contestants.map(({ name }) => [name, { ms: [] as number[], cpuMs: [] as number[] }]));
  for (let i = 0; i < times; i++) {
    for (const contestant of contestants) {
      const startedAt = performance.now();
      const running = await start(contestant);
      const sample = samples.get(contestant.name);
      sample?.ms.push(performance.now() - startedAt);
      sample?.cpuMs.push(running.process.cpuMs() ?? Number.NaN);
      await running.stop();
    }
  }
  return new Map([...samples].map(([name, { ms, cpuMs }]) => [name, { ms: spread(ms), cpuMs: spread(cpuMs) }]));
}
