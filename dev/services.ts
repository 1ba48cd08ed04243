// `npm run services`: starts only Postgres and Redis behind their endpoints, migrated and seeded; then `npx wrangler
// dev` works.
import { rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { startStack } from "./stack.ts";

const variables = resolve(import.meta.dirname, "../.dev.vars");
const stack = await startStack({
  directory: process.env["STACK_DIR"] ?? ".local",
  baseUrl: `http://localhost:${process.env["PORT"] ?? 8787}`,
  postgresUrl: process.env["POSTGRES_URL"],
  redisUrl: process.env["REDIS_URL"],
  redisPrefix: process.env["REDIS_PREFIX"],
  log: (line) => console.log(line),
});
const lines = Object.entries(stack.settings).map(([name, value]) => `${name}="${value}"`);
writeFileSync(variables, `${lines.join("\n")}\n`, { mode: 0o600 });
console.log(`Postgres and Redis are ready, .dev.vars is written. Now run: npx wrangler dev
  Sign in   ${stack.user.email}  ${stack.user.password}
  API key   ${stack.apiKey}
  Mail      ${stack.mailbox}
Ctrl-C stops them and removes .dev.vars.`);

let ending = false;
const end = async () => {
  if (ending) return;
  ending = true;
  rmSync(variables, { force: true });
  await stack.stop();
  process.exit(0);
};
process.on("SIGINT", () => void end());
process.on("SIGTERM", () => void end());
