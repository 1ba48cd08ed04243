// `npm run legacy:import`: migrates the database of MIGRATION_DATABASE_URL (owner role, TCP) from the previous system.
// `-- --dry-run` shows what it would do.
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
    `The import failed and was rolled back completely; it can be run again. ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
} finally {
  await client.end().catch(() => undefined);
}

function conclusion(state: "foreign" | "conflicted" | "imported"): string {
  if (state === "foreign")
    return "There are no tables of the previous system: nothing to import. npm run db:migrate creates or updates the schema.";
  if (state === "imported")
    return "This database was already imported: nothing was changed. The result for each row is in legacy.import_report.";
  return dryRun
    ? "This is what an import would do. It was run and rolled back: nothing was changed."
    : "Imported. The result for each row is in legacy.import_report, the old tables are in the schema legacy. Next: npm run doctor";
}
