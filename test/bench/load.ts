import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { quantile } from "./statistics.ts";

/** How many connections a busy slice uses, and how many callers take turns. */
export const CONNECTIONS = 16;

const TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(5);
const BODY = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "echo", arguments: { text: TEXT } },
});
const TIMEOUT_MS = 10_000;

/** Calls `echo` over kept-alive connections, the callers taking turns. Rejects on any answer but the text. */
export interface Caller {
  call: () => Promise<void>;
  /** How many calls there have been. */
  calls: () => number;
  stop: () => void;
}

/** A caller of one Worker; `credentials` are the headers of each of those who call. */
export function createCaller(url: string, credentials: readonly Readonly<Record<string, string>>[]): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let turn = 0;
  const common = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(BODY)),
    accept: "application/json, text/event-stream",
    "cf-connecting-ip": "192.0.2.1",
  };
  const call = () =>
    new Promise<void>((done, fail) => {
      const headers = { ...common, ...credentials[turn++ % credentials.length] };
      const sent = request(`${url}/mcp`, { method: "POST", agent, headers, timeout: TIMEOUT_MS }, (answer) => {
        let text = "";
        answer
          .setEncoding("utf8")
          .on("data", (part: string) => (text += part))
          .on("error", fail)
          .on("end", () => {
            if (answer.statusCode === 200 && text.includes(TEXT)) done();
            else fail(new Error(`${url} answered ${answer.statusCode}: ${text.slice(0, 300)}`));
          });
      });
      sent.on("timeout", () => sent.destroy(new Error(`${url} did not answer in ${TIMEOUT_MS} ms`)));
      sent.on("error", fail).end(BODY);
    });
  return { call, calls: () => turn, stop: () => agent.destroy() };
}

/** Every caller once, at the same time: what follows finds all of them known. */
export async function prime({ call }: Caller): Promise<void> {
  await Promise.all(Array.from({ length: CONNECTIONS }, call));
}

/** One call after another for so long; the median of their durations, in milliseconds. */
export async function oneByOne({ call }: Caller, ms: number): Promise<number> {
  const end = performance.now() + ms;
  const durations: number[] = [];
  for (let at = performance.now(); at < end;) {
    await call();
    const now = performance.now();
    durations.push(now - at);
    at = now;
  }
  return quantile(durations, 0.5);
}

/** As many calls as {@link CONNECTIONS} connections take in so long; how many there were, and in how many milliseconds. */
export async function busy({ call }: Caller, ms: number): Promise<{ calls: number; ms: number }> {
  const startedAt = performance.now();
  let calls = 0;
  const connection = async () => {
    while (performance.now() - startedAt < ms) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  return { calls, ms: performance.now() - startedAt };
}

/** Calls at a steady rate, whether or not the ones before are answered. */
export async function paced({ call }: Caller, perSecond: number, calls: number): Promise<void> {
  const startedAt = performance.now();
  const answers: Promise<void>[] = [];
  for (let i = 0; i < calls; i++) {
    await delay(Math.max(0, startedAt + (i * 1000) / perSecond - performance.now()));
    answers.push(call());
  }
  await Promise.all(answers);
}
