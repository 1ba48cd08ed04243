// Runs the local stack in a process of its own: Vite has nothing to transform there, and Postgres goes on while workerd starts.
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
  process.exit(0);
};
process.once("message", () => void end());
process.once("disconnect", () => void end());
