// `npm run db:migrate`: applies pending migrations to the database of MIGRATION_DATABASE_URL (owner role, TCP).
import { applyMigrations } from "./migrations.ts";

const url = process.env["MIGRATION_DATABASE_URL"];
if (!url) {
  console.error("Set MIGRATION_DATABASE_URL to the owner's connection string, e.g. postgresql://owner:…@host/database");
  process.exit(1);
}
await applyMigrations(url);
console.log("The database is up to date.");
