// `npm run db:migrate`: applies pending migrations to the database of MIGRATION_DATABASE_URL (owner role, TCP).
import { applyMigrations } from "./migrations.ts";

const url = process.env["MIGRATION_DATABASE_URL"];
if (!url) {
  console.error("Set MIGRATION_DATABASE_URL to the owner's connection string, e.g. postgresql://owner:…@host/database");
  process.exit(1);
}
try {
  await applyMigrations(url);
} catch (error) {
  // What is there before the first migration was made by something else.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const isForeign = cause instanceof Error && /already exists/.test(cause.message);
  if (!isForeign) throw error;
  console.error(
    "This database has tables of another system. Nothing was changed: see npm run legacy:import -- --dry-run.",
  );
  process.exit(1);
}
console.log("The database is up to date.");
