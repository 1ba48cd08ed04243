import { describe, expect, it } from "vitest";
import { timeSummary, type FileTime } from "../../support/time-reporter.ts";

const file = (project: string, name: string, setUp: number, tests: number): FileTime => ({
  project,
  file: name,
  setUp,
  tests,
});

describe("the summary of where the time of a test run went", () => {
  it("adds up each project, with the share of its set-up", () => {
    const lines = timeSummary([
      file("unit", "a", 250, 750),
      file("worker", "b", 0, 2_000),
      file("unit", "c", 750, 250),
    ]);
    expect(lines).toContain("    2.0 s  unit: 2 files, 50 % of it set-up");
    expect(lines).toContain("    2.0 s  worker: 1 files, 0 % of it set-up");
  });

  it("names the slowest files, the slowest first, and no more than twelve", () => {
    const files = Array.from({ length: 20 }, (_, index) => file("unit", `file-${index}`, 0, index * 1_000));
    const slowest = timeSummary(files).slice(3);
    expect(slowest).toHaveLength(12);
    expect(slowest[0]).toBe("   19.0 s  file-19");
    expect(slowest.at(-1)).toBe("    8.0 s  file-8");
  });

  it("is about nothing when nothing ran", () => {
    expect(timeSummary([file("unit", "a", 0, 0)])).toContain("    0.0 s  unit: 1 files, 0 % of it set-up");
  });
});
