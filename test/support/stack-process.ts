// Runs the local stack in a process of its own: Vite has nothing to transform there, and Postgres goes on while workerd starts.
import { Redis } from "ioredis";
import { startStack } from "../../dev/stack.ts";

const [directory = "", postgresUrl, redisUrl, redisPrefix] = process.argv
  .slice(2)
  .map((text) => (text === "" ? undefined : text));
const stack = await startStack({
  directory,
  baseUrl: "http://localhost:8787",
  postgresUrl,
  redisUrl,
  redisPrefix,
  log: (line) => console.error(line),
});
const { stop, ...described } = stack;
process.send?.(described);

const end = async () => {
  await stop();
  if (redisUrl !== undefined && redisPrefix !== undefined) await removeKeys(redisUrl, redisPrefix);
  process.exit(0);
};
process.once("message", () => void end());
process.once("disconnect", () => void end());

/** Leaves a shared server as it was. */
async function removeKeys(url: string, prefix: string): Promise<void> {
  const client = new Redis(url);
  try {
    for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1_000 })) {
      if ((keys as string[]).length > 0) await client.del(keys as string[]);
    }
  } finally {
    client.disconnect();
  }
}
