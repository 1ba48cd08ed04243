import type { Sql } from "./state.ts";

/** How many rows had each outcome, and how many have each note, with some of their ids. */
export interface ImportReport {
  counts: { source: string; usedAs: string; outcome: string; works: boolean; count: number }[];
  notes: { source: string; note: string; count: number; ids: string[] }[];
}

/** Reads the report of this import or an earlier one. */
export async function readReport(sql: Sql): Promise<ImportReport> {
  const counts = await sql.query(
    `select source, used_as as "usedAs", outcome, works, count(*)::int as count from legacy.import_report group by 1, 2, 3, 4 order by 1, 2, 3, 4 desc`,
  );
  const notes = await sql.query(
    `select source, note, count(*)::int as count, (array_agg(row_id order by row_id))[1:5] as ids
     from legacy.import_report, unnest(notes) as note group by 1, 2 order by 1, 2`,
  );
  return { counts: counts.rows as ImportReport["counts"], notes: notes.rows as ImportReport["notes"] };
}

/** The report as text for people. */
export function showReport({ counts, notes }: ImportReport): string {
  const total = counts.map(({ source, usedAs, outcome, works, count }) =>
    [
      String(count).padStart(8),
      `${source} as ${usedAs}`.padEnd(26),
      outcome.padEnd(24),
      works ? "works" : "does not work",
    ].join("  "),
  );
  const noted = notes.map(
    ({ source, note, count, ids }) =>
      `${String(count).padStart(8)}  ${source}: ${note} (${ids.join(", ")}${count > ids.length ? ", …" : ""})`,
  );
  return [...total, "", ...noted].join("\n");
}
