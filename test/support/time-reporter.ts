import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/** Where the time of one file went, in milliseconds. */
export interface FileTime {
  project: string;
  file: string;
  /** Environment, harness and imports: everything before the first test. */
  setUp: number;
  tests: number;
}

const SLOWEST = 12;
/** Runs of a few files say enough without a summary. */
const MANY = 20;

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(1).padStart(7);

/** The summary of a run: for each project its files, seconds and share of set-up; then the slowest files. */
export function timeSummary(files: readonly FileTime[]): string[] {
  const total = ({ setUp, tests }: FileTime) => setUp + tests;
  const sum = (times: readonly number[]) => times.reduce((all, time) => all + time, 0);
  const projects = [...Map.groupBy(files, ({ project }) => project)].map(([project, own]) => {
    const setUp = sum(own.map((file) => file.setUp));
    const all = sum(own.map(total));
    const share = all === 0 ? 0 : Math.round((100 * setUp) / all);
    return `${seconds(all)} s  ${project}: ${own.length} files, ${share} % of it set-up`;
  });
  const slowest = files
    .toSorted((a, b) => total(b) - total(a))
    .slice(0, SLOWEST)
    .map((file) => `${seconds(total(file))} s  ${file.file}`);
  return ["Where the time went (seconds of all workers together)", ...projects, "Slowest files", ...slowest];
}

/** Prints {@link timeSummary} at the end of a run of many files. */
export class TimeReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length < MANY) return;
    const files = modules.map((module): FileTime => {
      const { environmentSetupDuration, prepareDuration, collectDuration, setupDuration, duration } =
        module.diagnostic();
      return {
        project: module.project.name,
        file: relative(process.cwd(), module.moduleId),
        setUp: environmentSetupDuration + prepareDuration + collectDuration + setupDuration,
        tests: duration,
      };
    });
    console.log(`\n${timeSummary(files).join("\n")}\n`);
  }
}
