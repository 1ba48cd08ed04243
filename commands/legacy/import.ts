import { mergeDuplicates } from "./duplicates.ts";
import { mapEnhancedKey, type KeptKey } from "./enhanced-mapping.ts";
import { betterAuthHash, mapKey, type NewKey, type OldKey } from "./key-mapping.ts";
import { importPeople, importTokens } from "./people.ts";
import { readReport, type ImportReport } from "./report.ts";
import { readEnhancedKeys, readOldKeys, writeKeptKeys, writeKeys, writeReport, type ReportRow } from "./rows.ts";
import { makeSchema, moveAside } from "./schema.ts";
import { readState, type DatabaseState, type Sql } from "./state.ts";
import { verifyImport } from "./verification.ts";

/** `now`, in epoch milliseconds, decides what has expired. A dry run does everything and rolls it back. */
export interface ImportOptions {
  migrationsFolder: string;
  migrationLock: number;
  now: number;
  dryRun: boolean;
}

/**
 * The state of the database before, and the report of the import, of this run or an earlier one; no report if there was
 * nothing to import.
 */
export interface ImportResult {
  state: DatabaseState["kind"];
  report: ImportReport | undefined;
}

/**
 * Imports a database in the conflicted state (R5) in one transaction: moves the old tables to the schema `legacy`,
 * creates this gateway's schema, copies the rows and compares them with the backup. An interrupted import changes
 * nothing; a repeated one changes nothing more.
 */
export async function importLegacy(sql: Sql, options: ImportOptions): Promise<ImportResult> {
  await sql.query("begin");
  try {
    await sql.query("select pg_advisory_xact_lock($1)", [options.migrationLock]);
    await sql.query("set local timezone = 'UTC'");
    const state = await readState(sql, options.migrationsFolder);
    if (state.kind === "conflicted") await carryOver(sql, state, options);
    const report = state.kind === "foreign" ? undefined : await readReport(sql);
    await sql.query(options.dryRun ? "rollback" : "commit");
    return { state: state.kind, report };
  } catch (error) {
    await sql.query("rollback").catch(() => undefined); // If the connection failed, Postgres has already rolled back.
    throw error;
  }
}

async function carryOver(
  sql: Sql,
  state: DatabaseState & { kind: "conflicted" },
  { migrationsFolder, now }: ImportOptions,
) {
  await moveAside(sql, state);
  await makeSchema(sql, migrationsFolder);
  await sql.query(`create table legacy.import_report (source text not null, used_as text not null, row_id text not null, outcome text not null,
    target_id text, works boolean not null, notes text[] not null, primary key (source, used_as, row_id))`);
  await importPeople(sql);
  await importTokens(sql, now);
  const names = new Names();
  await importKeys(sql, names, now);
  await importEnhancedKeys(sql, names, now);
  await verifyImport(sql, now);
  await sql.query("create table legacy.import_run as select to_timestamp($1::float8 / 1000) as imported_at", [now]);
}

/** Ids in use: the old tables may have used one twice, and `apikey` and `legacy_key` share their ids. */
class Names {
  readonly #taken = new Set<string>();

  take(id: string, source: string): string {
    let free = id;
    for (let n = 1; this.#taken.has(free); n++) free = `${id}-${source}${n === 1 ? "" : n}`;
    this.#taken.add(free);
    return free;
  }
}

async function importKeys(sql: Sql, names: Names, now: number): Promise<void> {
  const keys: NewKey[] = [];
  const report: ReportRow[] = [];
  const old = await readOldKeys(sql);
  const byHash = Map.groupBy(old, ({ hash }) => betterAuthHash(hash));
  for (const [hash, rows] of byHash) {
    if (hash === undefined) {
      report.push(...rows.map((row) => refused(row)));
      continue;
    }
    const [first, ...others] = rows;
    if (first === undefined) continue;
    const merged = mergeDuplicates([mapKey(first, hash, now), ...others.map((row) => mapKey(row, hash, now))]);
    const key = { ...merged, id: names.take(first.id, first.source) };
    keys.push(key);
    const end = { targetId: key.id, works: worksNow(key, now) };
    const notes = key.id === first.id ? key.notes : [...key.notes, "its id was taken: it got another"];
    report.push({ source: first.source, rowId: first.id, outcome: "imported", ...end, notes });
    report.push(
      ...others.map(({ source, id }) => ({ source, rowId: id, outcome: "duplicate" as const, ...end, notes: [] })),
    );
  }
  await writeKeys(sql, keys);
  await writeReport(sql, report);
}

const refused = ({ source, id }: Pick<OldKey, "source" | "id">): ReportRow => ({
  source,
  rowId: id,
  outcome: "refused",
  targetId: null,
  works: false,
  notes: ["its hash is neither base64url nor hexadecimal SHA-256, so its key is unknown"],
});

async function importEnhancedKeys(sql: Sql, names: Names, now: number): Promise<void> {
  const kept: KeptKey[] = [];
  const report: ReportRow[] = [];
  for (const old of await readEnhancedKeys(sql)) {
    const mapped = mapEnhancedKey(old, now);
    const row = { source: "enhanced_api_keys" as const, rowId: old.id };
    if (mapped === undefined) {
      const notes = ["its hash is not hexadecimal SHA-256"];
      report.push({ ...row, outcome: "refused", targetId: null, works: false, notes });
      continue;
    }
    const key = { ...mapped, id: names.take(old.id, "enhanced") };
    kept.push(key);
    const notes = key.id === old.id ? key.notes : [...key.notes, "its id was taken: it got another"];
    report.push({ ...row, outcome: "kept for its first use", targetId: key.id, works: worksNow(key, now), notes });
  }
  await writeKeptKeys(sql, kept);
  await writeReport(sql, report);
}

const worksNow = (key: Pick<NewKey, "enabled" | "expiresAt" | "disabledUntil">, now: number) =>
  key.enabled &&
  (key.expiresAt === null || key.expiresAt > now) &&
  (key.disabledUntil === null || key.disabledUntil <= now);
