// Adds up the JSON reports of all suites and prints the closing line. Fails when a suite left no report or ran no test.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [directory = "."] = process.argv.slice(2);
const reports = readdirSync(directory).map(
  (name) =>
    JSON.parse(readFileSync(join(directory, name), "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
      success: boolean;
    },
);
const passed = reports.reduce((sum, report) => sum + report.numPassedTests, 0);
const failed = reports.reduce((sum, report) => sum + report.numFailedTests, 0);
console.log(`${passed} passed, ${failed} failed`);
process.exit(reports.length >= 2 && passed > 0 && failed === 0 && reports.every(({ success }) => success) ? 0 : 1);
