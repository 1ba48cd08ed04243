// `npm run db:migrate`: applies pending migrations to the database of MIGRATION_DATABASE_URL (owner role, TCP).
import { applyMigrations, type MigrationOutcome } from "./migrations.ts";

const PREVIOUS_SYSTEM = "For a database of the previous system: npm run legacy:import -- --dry-run";
const migrations = (count: number) => `${count} migration${count === 1 ? "" : "s"}`;
/** The number at the beginning of a migration's file name. */
const number = (index: number) => String(index).padStart(4, "0");

const url = process.env["MIGRATION_DATABASE_URL"];
if (!url) {
  console.error("Set MIGRATION_DATABASE_URL to the owner's connection string, e.g. postgresql://owner:…@host/database");
  process.exit(1);
}
try {
  const outcome = await applyMigrations(url);
  if (outcome.kind === "unknown") process.exitCode = 1;
  console[outcome.kind === "unknown" ? "error" : "log"](conclusion(outcome));
} catch (error) {
  // Tables that exist before the first migration belong to another system.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const isForeign = cause instanceof Error && /already exists/.test(cause.message);
  if (!isForeign) throw error;
  console.error(`This database has tables of another system. Nothing was changed. ${PREVIOUS_SYSTEM}`);
  process.exitCode = 1;
}

function conclusion(outcome: MigrationOutcome): string {
  if (outcome.kind === "unknown") {
    const hashes = outcome.hashes.map((hash) => hash.slice(0, 12)).join(", ");
    return `This database has migrations that this version does not know: ${hashes}. Nothing was changed.
Deploy the version that they belong to, or use an empty database. ${PREVIOUS_SYSTEM}`;
  }
  const { before, total } = outcome;
  const count = total - before;
  if (count === 0) return `The database is up to date (${migrations(total)}).`;
  const range = count === 1 ? number(before) : `${number(before)}–${number(total - 1)}`;
  return `Applied ${migrations(count)} (${range}).`;
}
