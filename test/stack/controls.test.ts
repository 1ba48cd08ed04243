import { neon } from "@neondatabase/serverless";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createControls, startControls, type Stats } from "../../dev/controls.ts";
import { aimDriver, startRedisServer, startSqlServer, TOKEN, type RedisServer, type SqlServer } from "./servers.ts";

let sqlServer: SqlServer;
let redisServer: RedisServer;
let controls: Awaited<ReturnType<typeof startControls>>;
let sql: ReturnType<typeof neon<false, false>>;
let redis: Redis;

beforeAll(async () => {
  const counters = createControls();
  sqlServer = await startSqlServer(counters);
  redisServer = await startRedisServer(counters);
  const { redisUrl, keyPrefix } = redisServer;
  controls = await startControls({ controls: counters, redisUrl, keyPrefix, mailboxKey: "dev:mailbox" });
  aimDriver(sqlServer.endpoint);
  sql = neon(sqlServer.connectionString);
  redis = new Redis({ url: redisServer.endpoint, token: TOKEN, enableTelemetry: false, retry: false });
  await sql`create table kept(name text)`;
});
beforeEach(async () => {
  await request("DELETE /faults");
  await sql`truncate kept`;
  await redis.flushdb();
  await request("POST /stats/reset");
});
afterAll(async () => {
  await controls.stop();
  await redisServer.stop();
  await sqlServer.stop();
});

async function request(line: string, body?: unknown): Promise<{ status: number; json: unknown }> {
  const [method = "", path = ""] = line.split(" ");
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${controls.url}${path}`, init);
  return { status: response.status, json: await response.json() };
}

const stats = async () => (await request("GET /stats")).json as Stats;
const keep = (name: string) => sql`insert into kept values(${name})`;
const outcome = () => keep("x").then(() => "kept", String);
const kept = async () => (await sql`select name from kept order by name`).map((row) => row["name"]);

describe("statistics", () => {
  it("count requests, statements and commands since the last reset, and log them in order", async () => {
    const before = Date.now();
    await sql`select 1 from kept`;
    await sql.transaction([keep("a"), sql`select 1`]);
    await redis.set("k", 1);
    await redis.multi().get("k").incr("k").exec();
    await fetch(`${redisServer.endpoint}/ping?_token=${TOKEN}`);
    const { log, ...counts } = await stats();
    expect(counts).toEqual({ sqlRequests: 2, sqlStatements: 3, redisRequests: 3, redisCommands: 4 });
    expect(log.map(({ to, n, what }) => [to, n, what])).toEqual([
      ["neon", 1, ["select kept"]],
      ["neon", 2, ["insert kept", "select"]],
      ["upstash", 1, ["set"]],
      ["upstash", 2, ["get", "incr"]],
      ["upstash", 1, ["ping"]],
    ]);
    const times = log.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(before - 2);
    await request("POST /stats/reset");
    expect(await stats()).toEqual({ sqlRequests: 0, sqlStatements: 0, redisRequests: 0, redisCommands: 0, log: [] });
  });

  it("count requests that fail, also by a fault", async () => {
    await request("POST /faults", { neon: { mode: "down" }, upstash: { mode: "500" } });
    await expect(sql`select 1`).rejects.toThrow("fetch failed");
    await expect(redis.get("k")).rejects.toThrow("fault 500");
    await request("DELETE /faults");
    await expect(sql`select * from missing`).rejects.toThrow("does not exist");
    expect(await stats()).toMatchObject({ sqlRequests: 2, sqlStatements: 1, redisRequests: 1, redisCommands: 1 });
  });

  it("keep a log of the last 10,000 requests but count all", () => {
    const counters = createControls();
    for (let i = 0; i < 25_000; i++) counters.record({ at: i, to: "neon", n: 1, what: [] });
    const { log, sqlRequests } = counters.stats();
    expect([log.length, log[0]?.at, log.at(-1)?.at, sqlRequests]).toEqual([10_000, 15_000, 24_999, 25_000]);
  });
});

describe("faults of the Neon endpoint", () => {
  it.each([
    ["down", "fetch failed", []],
    ["reset-before", "fetch failed", []],
    ["reset-after-commit", "fetch failed", ["x"]],
    ["garbage", "JSON", []],
    ["500", "HTTP status 500", []],
  ])("%s fails with %j and leaves %j behind", async (mode, message, rows) => {
    await request("POST /faults", { neon: { mode } });
    expect(await outcome()).toContain(message);
    await request("DELETE /faults");
    expect(await kept()).toEqual(rows);
  });

  it("commit a whole transaction before the connection is reset", async () => {
    await request("POST /faults", { neon: { mode: "reset-after-commit", nth: 1 } });
    await expect(sql.transaction([keep("a"), keep("b")])).rejects.toThrow("fetch failed");
    expect(await kept()).toEqual(["a", "b"]);
  });

  it("hit only the nth request when told so, once", async () => {
    await request("POST /faults", { neon: { mode: "500", nth: 2 } });
    expect([await outcome(), await outcome(), await outcome()]).toEqual([
      "kept",
      expect.stringContaining("500"),
      "kept",
    ]);
  });

  it("may be a delay alone, which hits every request until it is taken away", async () => {
    await request("POST /faults", { neon: { latencyMs: 1_500 } });
    const finished: string[] = [];
    const slow = ["a", "b"].map((name) => keep(name).then(() => finished.push("slow")));
    while ((await stats()).sqlRequests < 2);
    await request("DELETE /faults");
    await keep("c").then(() => finished.push("fast"));
    await Promise.all(slow);
    expect(finished).toEqual(["fast", "slow", "slow"]);
    expect(await kept()).toEqual(["a", "b", "c"]);
  });
});

describe("faults of the Upstash endpoint", () => {
  it.each([
    ["down", "fetch failed", null],
    ["reset-before", "fetch failed", null],
    ["reset-after-commit", "fetch failed", 1],
    ["garbage", "Unable to parse", null],
    ["500", "ERR fault 500", null],
  ])("%s fails with %j and leaves %j behind", async (mode, message, value) => {
    const client = new Redis({ url: redisServer.endpoint, token: TOKEN, retry: { retries: 0 } });
    await request("POST /faults", { upstash: { mode } });
    expect(await client.set("k", 1).catch(String)).toContain(message);
    await request("DELETE /faults");
    expect(await redis.get("k")).toBe(value);
  });

  it("do not touch the other endpoint, and may be set for both", async () => {
    await request("POST /faults", { upstash: { mode: "500" } });
    expect(await sql`select 1 one`).toEqual([{ one: 1 }]);
    const both = { upstash: { mode: "500" }, neon: { latencyMs: 1, mode: "garbage", nth: 3 } };
    expect((await request("POST /faults", { neon: both.neon })).json).toEqual({ faults: both });
  });
});

describe("the controls server", () => {
  it.each([
    [{ neon: { mode: "slow" } }, "unknown mode"],
    [{ neon: { modus: "down" } }, 'unknown field "modus"'],
    [{ mysql: { mode: "down" } }, 'unknown target "mysql"'],
    [{ neon: { nth: 2 } }, "needs latencyMs or mode"],
    [{ neon: { mode: "down", nth: 0 } }, "nth must be"],
    [{ neon: { latencyMs: "1" } }, "latencyMs must be"],
    [{ neon: 1 }, '"neon" must be a JSON object'],
    [[], "the body must be a JSON object"],
    [undefined, "the body must be JSON"],
  ])("explains what is wrong with the faults %j", async (faults, message) => {
    const { status, json } = await request("POST /faults", faults);
    expect([status, json]).toEqual([400, { error: expect.stringContaining(message) }]);
  });

  it("lists the mails of the mailbox, newest first, and empties it", async () => {
    const mail = { to: "a@example.com", text: "t", html: "h", links: ["https://example.com/verify"], at: 1 };
    await redis.lpush("dev:mailbox", { ...mail, subject: "first" });
    await redis.lpush("dev:mailbox", { ...mail, subject: "second" });
    const { json } = await request("GET /mailbox");
    expect(json).toEqual([
      { ...mail, subject: "second" },
      { ...mail, subject: "first" },
    ]);
    expect((await request("DELETE /mailbox")).json).toEqual({ deleted: true });
    expect((await request("GET /mailbox")).json).toEqual([]);
  });

  it("answers unknown paths with what there is", async () => {
    expect(await request("GET /nope")).toEqual({
      status: 404,
      json: { error: expect.stringContaining("POST /faults") },
    });
  });

  it("says which port is taken", async () => {
    const options = {
      controls: createControls(),
      redisUrl: redisServer.redisUrl,
      mailboxKey: "m",
      port: controls.port,
    };
    await expect(startControls(options)).rejects.toThrow(`port ${controls.port} of 127.0.0.1 is taken`);
  });
});
