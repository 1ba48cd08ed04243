import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startEmbeddedPostgres } from "../../dev/postgres.ts";
import { temporaryFolder } from "./servers.ts";

let folder: string;
let dataDir: string;

beforeEach(() => {
  folder = temporaryFolder();
  dataDir = join(folder, "stack", "pg");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Starts Postgres on `dataDir` in a process of its own and resolves with that process once Postgres answers. */
async function startElsewhere() {
  const module = join(import.meta.dirname, "../../dev/postgres.ts");
  const code = `const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    process.send(await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} }).then(({ url, pid }) => ({ url, pid })));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const [{ url, pid }] = (await once(child, "message")) as [{ url: string; pid: number }];
  return { child, url, pid };
}

describe("the embedded Postgres", () => {
  it("is Postgres 15 with UTF-8 and UTC, and keeps its data from one start to the next", async () => {
    const first = await startEmbeddedPostgres({ dataDir });
    const settings =
      "select current_setting('server_version_num')::int / 10000 major, current_setting('server_encoding') e, current_setting('timezone') z";
    expect(await query(first.url, settings)).toEqual([{ major: 15, e: "UTF8", z: "UTC" }]);
    await query(first.url, "create table t as select 'ä' as name");
    await first.stop();
    await first.stop();
    const second = await startEmbeddedPostgres({ dataDir });
    expect(await query(second.url, "select upper(name) u from t")).toEqual([
      { u: process.platform === "linux" ? "Ä" : "ä" },
    ]);
    await second.stop();
  });

  it("stops the server that a killed run left behind in its directory", async () => {
    const elsewhere = await startElsewhere();
    elsewhere.child.kill("SIGKILL");
    await once(elsewhere.child, "exit");
    expect(await query(elsewhere.url, "select 1 one")).toEqual([{ one: 1 }]);
    const lines: string[] = [];
    const postgres = await startEmbeddedPostgres({ dataDir, log: (line) => lines.push(line) });
    expect(lines).toContain(`stopping Postgres ${elsewhere.pid}, which an earlier run left behind`);
    await expect(query(elsewhere.url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await postgres.stop();
  });

  it("leaves a server alone whose starter still runs", async () => {
    const elsewhere = await startElsewhere();
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(
      `process ${elsewhere.child.pid} uses the data directory`,
    );
    expect(await query(elsewhere.url, "select 1 one")).toEqual([{ one: 1 }]);
    elsewhere.child.kill("SIGKILL");
    await once(elsewhere.child, "exit");
    await (await startEmbeddedPostgres({ dataDir })).stop();
  });

  it("runs where only the owner may enter, and starts anew when its directory was removed", async () => {
    chmodSync(folder, 0o700);
    const first = await startEmbeddedPostgres({ dataDir });
    await query(first.url, "create table t()");
    await first.stop();
    expect(existsSync(join(dataDir, "PG_VERSION"))).toBe(true);
    const second = await startEmbeddedPostgres({ dataDir });
    expect(await query(second.url, "select from t")).toEqual([]);
    await second.stop();
    rmSync(join(folder, "stack"), { recursive: true });
    const third = await startEmbeddedPostgres({ dataDir });
    await expect(query(third.url, "select from t")).rejects.toThrow("does not exist");
    await third.stop();
    rmSync(third.dataDir, { recursive: true });
  });
});
