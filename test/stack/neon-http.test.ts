import { neon, type NeonDbError } from "@neondatabase/serverless";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aimDriver, startSqlServer, type SqlServer } from "./servers.ts";

let server: SqlServer;
let sql: ReturnType<typeof neon<false, false>>;

beforeAll(async () => {
  server = await startSqlServer();
  aimDriver(server.endpoint);
  sql = neon(server.connectionString);
  await sql`create table things(id serial primary key, slug text unique not null, v int check (v > 0))`;
  await sql`create table deferred(id int unique deferrable initially deferred)`;
});
beforeEach(() => sql`truncate things, deferred`);
afterAll(() => server.stop());

/** POST to the endpoint without the driver; `headers` come on top of those that every request must have. */
function post(body: string, headers: Record<string, string> = {}): Promise<Response> {
  const own = { "neon-connection-string": server.connectionString, "neon-raw-text-output": "true" };
  return fetch(server.endpoint, { method: "POST", body, headers: { ...own, ...headers } });
}

describe("values", () => {
  it("come back as what the driver makes of Postgres text, whatever their type", async () => {
    const [row] = await sql`select ${1}::int i, ${"9007199254740993"}::int8 big, ${"1.10"}::numeric n, ${true}::bool b,
      ${null}::text z, ${["a", 'b"c', null]}::text[] ta, ${[1, 2]}::int[] ia, ${{ a: [1, { b: "x" }] }}::jsonb j,
      ${new Date(0)}::timestamptz ts, ${Buffer.from([0, 255, 1])}::bytea by, 1.5::float8 f, 'NaN'::float8 nan, '2024-02-03'::date d`;
    expect(row).toMatchObject({ i: 1, big: "9007199254740993", n: "1.10", b: true, z: null, f: 1.5, nan: Number.NaN });
    expect(row).toMatchObject({ ta: ["a", 'b"c', null], ia: [1, 2], j: { a: [1, { b: "x" }] } });
    expect(new Date(row?.["ts"] as Date).getTime()).toBe(0);
    expect(row?.["by"]).toEqual(Buffer.from([0, 255, 1]));
  });

  it("may be raw JSON in the parameters, converted as Neon's proxy does", async () => {
    const params = [1, false, [1, null, ["x"]], { a: 1 }, null];
    const response = await post(
      JSON.stringify({ query: "select $1::int, $2::bool, $3::text, $4::jsonb, $5::text", params }),
      {
        "neon-array-mode": "true",
      },
    );
    expect(await response.json()).toMatchObject({ rows: [["1", "f", '{1,NULL,{"x"}}', '{"a": 1}', null]] });
  });

  it("come as arrays with all of the result's details when asked for", async () => {
    const options = { fullResults: true, arrayMode: true } as const;
    const result = await sql.query("select $1::text a", ["x"], options);
    expect(result).toMatchObject({ command: "SELECT", rowCount: 1, rows: [["x"]], rowAsArray: true });
    expect(result.fields[0]).toMatchObject({ name: "a", dataTypeID: 25, format: "text" });
    expect((await sql.query("select 1 where false", [], options)).fields).toHaveLength(1);
  });

  it("come as objects from a caller that does not ask for arrays", async () => {
    const response = await post('{"query":"select 1 a, null b"}');
    expect(await response.json()).toMatchObject({ rows: [{ a: "1", b: null }], rowAsArray: false });
  });

  it("of composed and unsafe fragments reach the statement", async () => {
    const filter = sql`where x > ${1}`;
    expect(await sql`select ${sql.unsafe("x")} from generate_series(1,3) x ${filter}`).toHaveLength(2);
  });
});

/** The error that a statement ends with. */
function failure(query: Promise<unknown>): Promise<NeonDbError> {
  return query.then(
    () => expect.unreachable("the statement succeeded"),
    (error: NeonDbError) => error,
  );
}

describe("errors", () => {
  it("refuse several statements in one string", async () => {
    expect(await failure(sql`select 1; select 2`)).toMatchObject({ code: "42601" });
  });

  it("name table, constraint and detail of a duplicate key", async () => {
    await sql`insert into things(slug,v) values('a',1)`;
    const error = await failure(sql`insert into things(slug,v) values('a',1)`);
    expect(error).toMatchObject({ name: "NeonDbError", code: "23505", severity: "ERROR" });
    expect(error).toMatchObject({ schema: "public", table: "things", constraint: "things_slug_key" });
    expect(error.detail).toBe("Key (slug)=(a) already exists.");
  });

  it("carry the code of check violations, syntax errors (with position) and missing tables", async () => {
    const violation = { code: "23514", constraint: "things_v_check" };
    expect(await failure(sql`insert into things(slug,v) values('b',-1)`)).toMatchObject(violation);
    expect(await failure(sql`selec 1`)).toMatchObject({ code: "42601", position: "1" });
    expect(await failure(sql`select * from nope`)).toMatchObject({ code: "42P01" });
  });

  it("of a missing database or role are errors of Postgres too", async () => {
    const url = new URL(server.connectionString);
    url.pathname = "/no_such_database";
    expect(await failure(neon(url.href)`select 1`)).toMatchObject({ code: "3D000" });
  });

  it("of a request that makes no sense say what was expected", async () => {
    const requests = [
      post("{"),
      post('{"query":1}'),
      post("null"),
      post('{"queries":[1]}'),
      post("{}", { "neon-raw-text-output": "" }),
    ];
    const messages = await Promise.all(
      requests.map(async (request) => {
        const response = await request;
        const { message }: { message: string } = await response.json();
        return [response.status, message];
      }),
    );
    expect(messages).toEqual([
      [400, expect.stringContaining("could not parse")],
      ...[1, 2, 3].map(() => [400, expect.stringContaining('"queries"')]),
      [400, expect.stringContaining("Neon-Raw-Text-Output")],
    ]);
    expect((await fetch(server.endpoint.replace("/sql", "/other"))).status).toBe(404);
  });
});

describe("a transaction", () => {
  it("commits together or not at all", async () => {
    const statements = [
      sql`insert into things(slug,v) values('t1',1) returning slug`,
      sql`select count(*) c from things`,
    ];
    const [inserted] = await sql.transaction(statements, { isolationLevel: "Serializable" });
    expect(inserted).toEqual([{ slug: "t1" }]);
    const duplicate = [sql`insert into things(slug,v) values('t2',1)`, sql`insert into things(slug,v) values('t1',1)`];
    await expect(sql.transaction(duplicate)).rejects.toMatchObject({ code: "23505" });
    expect(await sql`select slug from things`).toEqual([{ slug: "t1" }]);
  });

  it("has the isolation level, read-only and deferrable flags that it asks for", async () => {
    const settings = sql`select current_setting('transaction_isolation') i, current_setting('transaction_read_only') ro,
      current_setting('transaction_deferrable') d`;
    const options = { isolationLevel: "RepeatableRead", readOnly: true, deferrable: true } as const;
    expect(await sql.transaction([settings], options)).toEqual([[{ i: "repeatable read", ro: "on", d: "on" }]]);
    const write = sql.transaction([sql`insert into things(slug) values('x')`], { readOnly: true });
    await expect(write).rejects.toMatchObject({ code: "25006" });
  });

  it("fails at COMMIT when a deferred constraint does", async () => {
    const twice = [sql`insert into deferred values(1)`, sql`insert into deferred values(1)`];
    await expect(sql.transaction(twice)).rejects.toMatchObject({ code: "23505" });
    expect(await sql`select * from deferred`).toEqual([]);
  });

  it("keeps a transaction-local setting to itself", async () => {
    const [, inside] = await sql.transaction([
      sql`select set_config('app.tenant', ${"t9"}, true)`,
      sql`select current_setting('app.tenant', true) t`,
    ]);
    expect(inside).toEqual([{ t: "t9" }]);
    expect((await sql`select current_setting('app.tenant', true) t`)[0]?.["t"]).not.toBe("t9");
  });

  it("may take an advisory lock", async () => {
    const results = await sql.transaction([sql`select pg_advisory_xact_lock(42)`, sql`select 1 one`]);
    expect(results[1]).toEqual([{ one: 1 }]);
  });
});

describe("a session", () => {
  it("does not outlive the request: settings, locks, temporary tables and open transactions are gone", async () => {
    await sql`set statement_timeout = 1234`;
    await sql`select set_config('app.tenant', 'leaked', false)`;
    await sql`select pg_advisory_lock(7)`;
    await sql`create temp table scratch(id int)`;
    await sql`begin`;
    await sql`insert into things(slug,v) values('kept',1)`;
    await sql`rollback`;
    const [row] =
      await sql`select current_setting('statement_timeout') timeout, current_setting('app.tenant', true) tenant,
      to_regclass('scratch') scratch, (select count(*)::int from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())) locks`;
    expect(row).toEqual({ timeout: "0", tenant: expect.not.stringContaining("leaked"), scratch: null, locks: 0 });
    expect(await sql`select slug from things`).toEqual([{ slug: "kept" }]);
  });

  it("does not wait for others: fifty requests and transactions at once all answer", async () => {
    const requests = Array.from({ length: 50 }, (_, i) =>
      i % 5 === 0 ? sql.transaction([sql`select ${i}::int i`]).then(([rows]) => rows) : sql`select ${i}::int i`,
    );
    expect(await Promise.all(requests)).toEqual(Array.from({ length: 50 }, (_, i) => [{ i }]));
  });

  it("that waits for a lock does not keep others from answering", async () => {
    await sql`insert into things(slug,v) values('locked',1)`;
    const holder = new Client({ connectionString: server.connectionString });
    await holder.connect();
    await holder.query("begin; select 1 from things where slug = 'locked' for update");
    const waiter = Promise.resolve(sql`update things set v = 2 where slug = 'locked' returning v`);
    const waiting = () => sql`select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    while ((await waiting()).length === 0);
    await holder.query("commit");
    await holder.end();
    expect(await waiter).toEqual([{ v: 2 }]);
  });

  it("has the extensions of the production database", async () => {
    for (const extension of ["pgcrypto", "pg_trgm", "citext"]) await sql.query(`create extension ${extension}`);
    expect(await sql`select gen_random_uuid() is not null ok, similarity('word', 'word') s`).toEqual([
      { ok: true, s: 1 },
    ]);
  });

  it("is also given to callers that send a token", async () => {
    expect(await neon(server.connectionString, { authToken: "jwt" })`select 1 one`).toEqual([{ one: 1 }]);
  });
});

it("stopping cuts off what still runs", async () => {
  const other = await startSqlServer();
  const send = (query: string) =>
    fetch(other.endpoint, {
      method: "POST",
      body: JSON.stringify({ query }),
      headers: { "neon-connection-string": other.connectionString, "neon-raw-text-output": "true" },
    });
  const sleeper = send("select pg_sleep(600)").catch((error: Error) => error.message);
  const running = "select 1 from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'";
  const found = async (): Promise<{ rowCount: number }> => (await send(running)).json();
  while ((await found()).rowCount === 0);
  await other.stop();
  expect(await sleeper).toBe("fetch failed");
});
