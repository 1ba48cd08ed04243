// `npm run doctor`: prints one line for each requirement, with what to do when it is not met. Reads the environment and
// .dev.vars; exits with 1 if anything is wrong.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { examine } from "./examination.ts";

const variables = resolve(import.meta.dirname, "../.dev.vars");
const local = existsSync(variables) ? parseEnv(readFileSync(variables, "utf8")) : {};
const items = await examine({ ...local, ...process.env });
for (const { name, ok, found, todo } of items) {
  console.log(`${ok ? "ok   " : "wrong"}  ${name}: ${found}${ok || !todo ? "" : `\n         → ${todo}`}`);
}
const wrong = items.filter(({ ok }) => !ok).length;
console.log(wrong === 0 ? "\nEverything is correct." : `\n${wrong} of ${items.length} lines are wrong.`);
process.exit(wrong === 0 ? 0 : 1);
