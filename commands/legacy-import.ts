// `npm run legacy:import`: leads the database of MIGRATION_DATABASE_URL (owner role, TCP) out of the conflicted state. `-- --dry-run` shows the plan.
import pg from "pg";
import { importLegacy } from "./legacy/import.ts";
import { showReport } from "./legacy/report.ts";
import { MIGRATION_LOCK, MIGRATIONS } from "./migrations.ts";

const url = process.env["MIGRATION_DATABASE_URL"];
if (!url) {
  console.error("Set MIGRATION_DATABASE_URL to the owner's connection string, e.g. postgresql://owner:…@host/database");
  process.exit(1);
}
const dryRun = process.argv.includes("--dry-run");
const client = new pg.Client({ connectionString: url });
try {
  await client.connect();
  const options = { migrationsFolder: MIGRATIONS, migrationLock: MIGRATION_LOCK, now: Date.now(), dryRun };
  const { state, report } = await importLegacy(client, options);
  if (report) console.log(`${showReport(report)}\n`);
  console.log(conclusion(state));
} catch (error) {
  console.error(
    `The import did not finish; nothing is half done, run it again. ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
} finally {
  await client.end().catch(() => undefined);
}

function conclusion(state: "foreign" | "conflicted" | "imported"): string {
  if (state === "foreign")
    return "There are no old tables: nothing to import. npm run db:migrate makes or completes the schema.";
  if (state === "imported")
    return "This database was imported before: nothing was changed. Every row's end is in legacy.import_report.";
  return dryRun
    ? "This is what an import would do. It was tried and taken back: nothing was changed."
    : "Imported. Every row's end is in legacy.import_report, the old tables are in the schema legacy. Next: npm run doctor";
}
