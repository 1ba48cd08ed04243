// `npm run doctor`: one line for each thing that has to be right, with what to do when it is not. Reads the environment and .dev.vars; exit 1 if anything is wrong.
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
console.log(wrong === 0 ? "\nEverything is as it should be." : `\n${wrong} of ${items.length} lines are wrong.`);
process.exit(wrong === 0 ? 0 : 1);
