// The Worker as the tests run it: they wait for what it does after its answers, and let it wait no longer than they do.
import { setTimeout as delay } from "node:timers/promises";
import { waitUntil } from "cloudflare:workers";
import { log } from "../../src/platform/log.ts";
import type { Later } from "../../src/services.ts";
import { createWorker } from "../../src/worker.ts";

const LOOK_MS = 5;
/** A minute. Work that takes longer hangs. Looks are counted because a test may have changed the clock. */
const MAX_LOOKS = 60_000 / LOOK_MS;
const after = { works: 0, hurries: 0 };

/** What the Worker would begin in a moment, after an answer, begins now. */
export function hurry(): void {
  after.hurries += 1;
}

/** Resolves when all that the Worker does after its answers is done. What it would begin in a moment begins now. */
export async function backgroundSettled(): Promise<void> {
  for (let looks = 0; after.works > 0; looks += 1) {
    if (looks > MAX_LOOKS) throw new Error(`${after.works} works after an answer did not end within a minute`);
    hurry();
    await delay(LOOK_MS);
  }
}

/** For the Worker of the tests, and for those that a test makes itself. */
export const background: Later = {
  keepAlive(work) {
    after.works += 1;
    const end = () => {
      after.works -= 1;
    };
    waitUntil(work.then(end, end));
  },
  async wait(ms) {
    // The timers are those of the request that waits: workerd lets no other request end its wait.
    const before = after.hurries;
    for (let waited = 0; waited < ms; waited += LOOK_MS) {
      if (after.hurries > before) return;
      await delay(LOOK_MS);
    }
  },
};

export default createWorker(log, background);
