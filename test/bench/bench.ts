// `npm run bench`: size and start-up of the bundle, and what an authenticated call costs beside one that is not, in workerd itself.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { startStack } from "../../dev/stack.ts";
import { bundle, runBundle } from "../support/workerd.ts";

const OUT = resolve(".local/bench");
const STARTS = 7;
const PAIRS = 8;
const CALLS = 100;
const PORT = Number(process.env["PORT"] ?? 8799);

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const rounded = (value: number) => Math.round(value * 100) / 100;

mkdirSync(OUT, { recursive: true });
const module = await bundle(OUT);
const source = readFileSync(module);
const size = {
  rawKiB: Math.round(source.length / 1024),
  gzipKiB: Math.round(gzipSync(source, { level: 9 }).length / 1024),
};

const stack = await startStack({
  directory: resolve(OUT, "stack"),
  baseUrl: `http://127.0.0.1:${PORT}`,
  log: () => {},
});
try {
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const worker = await runBundle(module, stack.settings, PORT);
    starts.push(worker.firstAnswerMs);
    await worker.stop();
  }
  const worker = await runBundle(module, stack.settings, PORT);
  const echo = async () => {
    const answer = await fetch(`${worker.url}/mcp`, {
      method: "POST",
      headers: {
        "x-api-key": stack.apiKey,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}',
    });
    const text = await answer.text();
    if (!text.includes('"structuredContent"')) throw new Error(`echo failed: ${answer.status} ${text.slice(0, 200)}`);
  };
  const healthz = async () => void (await (await fetch(`${worker.url}/healthz`)).text());
  const perCall = async (work: () => Promise<void>) => {
    const startedAt = performance.now();
    for (let i = 0; i < CALLS; i++) await work();
    return (performance.now() - startedAt) / CALLS;
  };
  await perCall(echo);
  const pairs: { echo: number; healthz: number }[] = [];
  for (let i = 0; i < PAIRS; i++) pairs.push({ echo: await perCall(echo), healthz: await perCall(healthz) });
  await worker.stop();
  const result = {
    bundle: size,
    startMs: { median: rounded(median(starts)), all: starts.map(rounded) },
    echoWithKey: {
      msPerCall: rounded(median(pairs.map((pair) => pair.echo))),
      timesHealthz: rounded(median(pairs.map((pair) => pair.echo / pair.healthz))),
    },
  };
  writeFileSync(resolve(".local/bench.json"), `${JSON.stringify(result, null, 2)}\n`);
  console.table({
    "bundle, KiB": { value: size.rawKiB },
    "bundle, gzip KiB": { value: size.gzipKiB },
    [`start to first answer, ms (median of ${STARTS})`]: { value: result.startMs.median },
    "echo with an API key, ms": { value: result.echoWithKey.msPerCall },
    "echo with an API key, times /healthz": { value: result.echoWithKey.timesHealthz },
  });
} finally {
  await stack.stop();
}
