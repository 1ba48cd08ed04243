// The registry with 100,000 servers of three versions each: what `npm run bench -- --large` adds. `node test/bench/large.ts` measures it
// alone; `--quick` makes it 10,000.
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { sql, type SQLWrapper } from "drizzle-orm";
import { unauthenticated } from "../../src/audit/event.ts";
import { connectDatabases, type Db } from "../../src/platform/postgres/db.ts";
import { encodeCursor } from "../../src/registry/reading/cursor.ts";
import type { RegistryView } from "../../src/registry/reading/entry.ts";
import { publish, type Publisher } from "../../src/registry/publishing/publish.ts";
import { searchServers } from "../../src/registry/reading/search.ts";
import { findVersion, listServers, versionsOf } from "../../src/registry/reading/servers.ts";
import { syncSource } from "../../src/registry/mirror/sync.ts";
import { entryOf } from "../support/other-registry.ts";
import { startCatalog, TENANT, type Catalog } from "./catalog.ts";
import type { Goal } from "./goals.ts";
import { verdict } from "./report.ts";
import { startBenchStack, type BenchStack } from "./stack.ts";
import { quantile } from "./statistics.ts";

/** Milliseconds of requests through the local SQL endpoint; what is measured beside each other takes turns. */
export interface LargeResults {
  servers: number;
  listMs: { first: number; page500: number };
  searchP95Ms: { small: number; large: number };
  searches: { text: string; smallMs: number; largeMs: number }[];
  publishMs: number;
  publishesPerSecond: number;
  /** Versions per second: new ones, and such as are here already. */
  sync: { fresh: number; unchanged: number };
  /** Hot statements whose plan scans a table of the registry from end to end. */
  sequentialScans: string[];
  goals: Goal[];
}

const SMALL = 1_000;
const PAGE = 100;
/** Each search is made so often, and its median counts: what else the machine does is not what is measured. */
const ROUNDS = 3;
const VIEW: RegistryView = { kind: "tenant", tenantId: TENANT };
const TABLES = ["registry_version", "registry_server"];
const PUBLISHER: Publisher = {
  ...unauthenticated({ requestId: "bench", ip: null, userAgent: null }),
  tenantId: TENANT,
  namespaces: "owned",
};

/** Fills the stack's database and measures; it is good for nothing else afterwards. */
export async function measureLarge(
  stack: Pick<BenchStack, "settings" | "databaseUrl">,
  { servers, say }: { servers: number; say: (text: string) => void },
): Promise<LargeResults> {
  const { DATABASE_URL = "", NEON_HTTP_ENDPOINT = "" } = stack.settings;
  const db = connectDatabases({
    DATABASE_URL,
    DATABASE_READ_URL: DATABASE_URL,
    DATABASE_ANALYTICS_URL: DATABASE_URL,
    NEON_HTTP_ENDPOINT,
  }).write;
  const catalog = await startCatalog(stack.databaseUrl);
  try {
    say(`a registry of ${SMALL} servers is made, and searched`);
    await catalog.growTo(SMALL);
    const texts = await searchTexts(catalog);
    const small = await searchTimes(db, texts);
    say(`it grows to ${servers} servers`);
    await catalog.growTo(servers);
    say("it is searched again");
    const large = await searchTimes(db, texts);
    say("pages are read");
    const listMs = await listTimes(db, catalog, Math.min(500, servers / PAGE - 1));
    say("plans are looked at");
    const sequentialScans = await scans(db, catalog, texts);
    say("servers are published");
    const published = await publishTimes(db);
    say("another registry is mirrored");
    const sync = await syncSpeed(db);
    const searchP95Ms = { small: quantile(small, 0.95), large: quantile(large, 0.95) };
    const searches = texts.map((text, i) => ({ text, smallMs: small[i] ?? 0, largeMs: large[i] ?? 0 }));
    const results = { servers, listMs, searchP95Ms, searches, ...published, sync, sequentialScans };
    return { ...results, goals: goalsOf(results) };
  } finally {
    await catalog.stop();
  }
}

function goalsOf({ listMs, searchP95Ms, sequentialScans, ...more }: Omit<LargeResults, "goals">): Goal[] {
  const list = listMs.page500 / listMs.first;
  const search = searchP95Ms.large / searchP95Ms.small;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const figure = (value: number) => `${Math.round(value)} a second`;
  return [
    {
      goal: "page 500 of a list within 1.5 × of page 1",
      figure: `${list.toFixed(2)} (${ms(listMs.page500)}, ${ms(listMs.first)})`,
      reached: list <= 1.5,
    },
    {
      goal: `search, p95, from ${SMALL} to ${more.servers} servers within 2 ×`,
      figure: `${search.toFixed(2)} (${ms(searchP95Ms.small)}, ${ms(searchP95Ms.large)})`,
      reached: search <= 2,
    },
    {
      goal: "no sequential scans in hot statements",
      figure: sequentialScans.join(", ") || "none",
      reached: sequentialScans.length === 0,
    },
    {
      goal: "publish: within 50 ms",
      figure: `${ms(more.publishMs)}; ${figure(more.publishesPerSecond)} by eight at once`,
      reached: more.publishMs <= 50,
    },
    {
      goal: "mirroring: 200 new versions a second",
      figure: `${figure(more.sync.fresh)}; ${figure(more.sync.unchanged)} that are here already`,
      reached: more.sync.fresh >= 200,
    },
  ];
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** Names, words, words that begin like it, and mistyped ones, of servers that are there at both sizes. */
async function searchTexts(catalog: Catalog): Promise<string[]> {
  const words = await catalog.words();
  const names = await catalog.names(40);
  return names.flatMap((name, i) => {
    const own = name.split("/")[1] ?? name;
    const [first = "", second = ""] = own.split("-");
    const rare = words[700 + i * 13] ?? first;
    return [own, `${first} ${second}`, rare, first.slice(0, 4), `${rare.slice(0, 2)}${rare.slice(3)}`];
  });
}

async function searchTimes(db: Db, texts: readonly string[]): Promise<number[]> {
  const search = (text: string) => searchServers(db, VIEW, { text, limit: 30 });
  for (const text of texts.slice(0, 20)) await search(text);
  const times = texts.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, text] of texts.entries()) times[i]?.push(await timed(() => search(text)));
  return times.map((rounds) => quantile(rounds, 0.5));
}

const latest = { limit: PAGE, version: "latest", includeDeleted: false };

async function listTimes(db: Db, catalog: Catalog, pages: number): Promise<LargeResults["listMs"]> {
  const after = await catalog.placeAt((pages - 1) * PAGE - 1);
  const cursor = encodeCursor({ after, filters: { version: "latest", includeDeleted: false } });
  const [first, page500]: [number[], number[]] = [[], []];
  for (let i = 0; i < 110; i++) {
    const times = [
      await timed(() => listServers(db, VIEW, latest)),
      await timed(() => listServers(db, VIEW, { ...latest, cursor })),
    ];
    if (i < 10) continue;
    first.push(times[0] ?? 0);
    page500.push(times[1] ?? 0);
  }
  return { first: quantile(first, 0.5), page500: quantile(page500, 0.5) };
}

/** Sends what is asked of it, and keeps what Postgres means to do for it. */
async function scans(db: Db, catalog: Catalog, texts: readonly string[]): Promise<string[]> {
  const { name, version } = await catalog.placeAt(30_000 % SMALL);
  const cursor = encodeCursor({ after: { name, version }, filters: { version: "latest", includeDeleted: false } });
  const asked: SQLWrapper[] = [];
  const listening = {
    execute: (query: SQLWrapper) => {
      asked.push(query);
      return db.execute(query);
    },
    batch: db.batch.bind(db),
  } as Pick<Db, "execute" | "batch">;
  const hot: Record<string, () => Promise<unknown>> = {
    list: () => listServers(listening, VIEW, { limit: PAGE, includeDeleted: false }),
    "list of the latest": () => listServers(listening, VIEW, latest),
    "a later page": () => listServers(listening, VIEW, { ...latest, cursor }),
    "what has changed": () =>
      listServers(listening, VIEW, { limit: PAGE, updatedSince: Date.now() - 3_600_000, includeDeleted: true }),
    "list with a search": () => listServers(listening, VIEW, { ...latest, search: texts[2] ?? "" }),
    "public list": () => listServers(listening, { kind: "public" }, latest),
    versions: () => versionsOf(listening, VIEW, name, { includeDeleted: false }),
    "latest version": () => findVersion(listening, VIEW, name, "latest", { includeDeleted: false }),
    "public version": () => findVersion(listening, { kind: "public" }, name, "latest", { includeDeleted: false }),
    search: () => searchServers(listening, VIEW, { text: texts[1] ?? "", limit: 30 }),
    "mistyped search": () => searchServers(listening, VIEW, { text: texts[4] ?? "", limit: 30 }),
    "public search": () => searchServers(listening, { kind: "public" }, { text: texts[1] ?? "", limit: 30 }),
  };
  const found: string[] = [];
  for (const [what, ask] of Object.entries(hot)) {
    asked.length = 0;
    await ask();
    for (const query of asked) {
      const { rows } = await db.execute<{ "QUERY PLAN": unknown }>(sql`explain (format json) ${query}`);
      const scanned = TABLES.filter((table) => scansTable(rows[0]?.["QUERY PLAN"], table));
      if (scanned.length > 0) found.push(`${what} (${scanned.join(", ")})`);
    }
  }
  return found;
}

function scansTable(plan: unknown, table: string): boolean {
  if (Array.isArray(plan)) return plan.some((part) => scansTable(part, table));
  if (typeof plan !== "object" || plan === null) return false;
  const node = plan as Readonly<Record<string, unknown>>;
  if (/Seq Scan/.test(String(node["Node Type"])) && node["Relation Name"] === table) return true;
  return Object.values(node).some((part) => scansTable(part, table));
}

async function publishTimes(db: Db): Promise<Pick<LargeResults, "publishMs" | "publishesPerSecond">> {
  const make = async (name: string, version: string) => {
    const remotes = [{ type: "streamable-http" as const, url: "https://mcp.example.com/x" }];
    const definition = { $schema: "", name, version, description: "Measured", remotes };
    const { state } = await publish(db, PUBLISHER, definition, Date.now());
    if (state !== "published") throw new Error(`not published: ${state}`);
  };
  const times: number[] = [];
  for (let i = 0; i < 60; i++)
    times.push(await timed(() => make(`com.example/published${Math.floor(i / 2)}x`, `1.${i % 2}.0`)));
  let next = 0;
  const took = await timed(() =>
    Promise.all(
      Array.from({ length: 8 }, async () => {
        while (next < 200) await make(`com.example/together${next++}x`, "1.0.0");
      }),
    ),
  );
  return { publishMs: quantile(times.slice(10), 0.5), publishesPerSecond: 200 / (took / 1_000) };
}

/** A registry that answers at once: the time is that of this gateway and of Postgres. */
async function syncSpeed(db: Db): Promise<LargeResults["sync"]> {
  const pages = 50;
  const id = crypto.randomUUID();
  await db.execute(
    sql`insert into registry_source (id, tenant_id, url) values (${id}::uuid, ${TENANT}, 'https://registry.example.com')`,
  );
  const outbound = (target: string | URL) => {
    const page = Number(new URL(target).searchParams.get("cursor") ?? 0);
    const servers = Array.from({ length: PAGE }, (_, i) => {
      const name = `org.example/mirrored-${page * PAGE + i}`;
      return entryOf({ name, version: "1.0.0", isLatest: true });
    });
    const metadata = { count: PAGE, ...(page + 1 < pages && { nextCursor: String(page + 1) }) };
    return Promise.resolve(Response.json({ servers, metadata }));
  };
  const deps = { db, outbound, reachable: [], log: () => undefined, now: () => Date.now() };
  const run = async () => {
    const took = await timed(async () => {
      const { state } = await syncSource(deps, id, { pages, turnMs: 600_000, pageMs: 10_000 });
      if (state !== "finished") throw new Error(`not mirrored: ${state}`);
    });
    return (pages * PAGE) / (took / 1_000);
  };
  return { fresh: await run(), unchanged: await run() };
}

if (import.meta.main) {
  const began = performance.now();
  const say = (text: string) => console.log(`${Math.round((performance.now() - began) / 1000)} s: ${text}`);
  const stack = await startBenchStack();
  try {
    const results = await measureLarge(stack, { servers: process.argv.includes("--quick") ? 10_000 : 100_000, say });
    console.log(`\n${verdict(results.goals)}\n`);
    mkdirSync(resolve(".local"), { recursive: true });
    writeFileSync(resolve(".local/bench-large.json"), `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    await stack.stop();
  }
}
