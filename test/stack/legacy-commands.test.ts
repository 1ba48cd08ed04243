import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { developmentSettings } from "../../dev/settings.ts";
import { keyTableChecklist } from "../../src/keys/legacy/checklist.ts";
import { operatorCommand as command } from "../support/command.ts";
import { contentsOf, startLegacyDatabases, type LegacyDatabases } from "../support/legacy-database.ts";
import { startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

let databases: LegacyDatabases;
let redis: RedisServer;

beforeAll(async () => {
  [databases, redis] = await Promise.all([startLegacyDatabases(), startRedisServer()]);
});
afterAll(async () => {
  await databases.stop();
  await redis.stop();
});

const workerSettings = (url: string, upstashToken = TOKEN) =>
  developmentSettings(
    {
      baseUrl: "http://localhost:8787",
      databaseUrl: url,
      neonEndpoint: databases.endpoint,
      upstashUrl: redis.endpoint,
      upstashToken,
    },
    undefined,
    // A command that has just started on a busy machine takes its time.
    { REDIS_TIMEOUT_MS: "10000" },
  );

const wrongLines = (output: string) => output.split("\n").flatMap((line) => /^wrong +(.*?):/.exec(line)?.[1] ?? []);

describe("npm run legacy:import and npm run doctor", () => {
  it("R5: show the plan, import once, and find everything as it should be", async () => {
    const url = await databases.copy();
    const owner = { MIGRATION_DATABASE_URL: url };
    const contents = () => databases.within(url, contentsOf);
    const before = await contents();
    const sick = await command("doctor.ts", [], { ...workerSettings(url), ...owner });
    expect(sick.code).toBe(1);
    expect(sick.output).toContain("→ npm run legacy:import");
    expect(wrongLines(sick.output)).toEqual(
      expect.arrayContaining([
        "api_token has exactly its own columns",
        "the old table apiKey is gone",
        "the old table enhanced_api_keys is gone",
      ]),
    );

    const plan = await command("legacy-import.ts", ["--dry-run"], owner);
    expect(plan.code).toBe(0);
    expect(plan.output).toMatch(/\d+ {2}apiKey as key +imported +works/);
    expect(plan.output).toContain("nothing was changed");
    expect(await contents()).toEqual(before);

    expect(await command("legacy-import.ts", [], owner)).toMatchObject({ code: 0 });
    const after = await contents();
    const again = await command("legacy-import.ts", [], owner);
    expect(again.output).toContain("already imported");
    expect(await contents()).toEqual(after);

    const well = await command("doctor.ts", [], { ...workerSettings(url), ...owner });
    expect({ code: well.code, wrong: wrongLines(well.output) }).toEqual({ code: 0, wrong: [] });
    // Without the owner the checklist is asked over HTTP.
    const overHttp = await command("doctor.ts", [], workerSettings(url));
    expect({ code: overHttp.code, wrong: wrongLines(overHttp.output) }).toEqual({ code: 0, wrong: [] });
    expect(overHttp.output).toContain("every key has a policy");
  });

  it("say what is missing, and never a secret", async () => {
    const none = await command("legacy-import.ts", [], {});
    expect(none).toMatchObject({ code: 1, output: expect.stringContaining("Set MIGRATION_DATABASE_URL") as string });
    const secret = `s${randomBytes(12).toString("hex")}`;
    const nowhere = `postgresql://owner:${secret}@127.0.0.1:1/none`;
    const lost = await command("legacy-import.ts", [], { MIGRATION_DATABASE_URL: nowhere });
    expect(lost).toMatchObject({ code: 1, output: expect.stringContaining("can be run again") as string });
    const settings = {
      ...workerSettings(nowhere, secret),
      BETTER_AUTH_SECRETS: secret,
      MIGRATION_DATABASE_URL: nowhere,
    };
    const sick = await command("doctor.ts", [], settings);
    expect(sick.code).toBe(1);
    expect(wrongLines(sick.output)).toEqual(["setting BETTER_AUTH_SECRETS", "Postgres answers its owner over TCP"]);
    const refused = await command("doctor.ts", [], workerSettings(nowhere, secret));
    expect(wrongLines(refused.output)).toEqual(
      expect.arrayContaining(["Redis answers", "Postgres answers the Worker over HTTP"]),
    );
    expect(none.output + lost.output + sick.output + refused.output).not.toContain(secret);
  });
});

describe("the checklist", () => {
  let url: string;
  beforeAll(async () => {
    url = await databases.copy();
    await command("legacy-import.ts", [], { MIGRATION_DATABASE_URL: url });
  });

  const ADD_KEY = (hash: string) =>
    `insert into apikey (id, reference_id, key, created_at, updated_at) values (gen_random_uuid()::text, 'ada', '${hash}', now(), now())`;

  it.each([
    [
      "Better Auth's columns in api_token",
      "alter table api_token add column permissions text",
      "api_token has exactly its own columns",
    ],
    [
      "a column that api_token lacks",
      "alter table api_token drop column revoked_at",
      "api_token has exactly its own columns",
    ],
    ["a column of ours in apikey", "alter table apikey add column salt text", "apikey has exactly its own columns"],
    ["a missing legacy_key", "drop table legacy_key", "legacy_key has exactly its own columns"],
    ["the old apiKey", `create table "apiKey" (id text)`, "the old table apiKey is gone"],
    [
      "the old enhanced_api_keys",
      "create table enhanced_api_keys (id text)",
      "the old table enhanced_api_keys is gone",
    ],
    [
      "a disabled trigger",
      "alter table apikey disable trigger apikey_changed",
      "the triggers that count changes are enabled",
    ],
    ["a dropped trigger", "drop trigger members_left on member", "the triggers that count changes are enabled"],
    ["a right that is missing", "revoke insert on outbox from mrg_app", "mrg_app may write what it needs"],
    ["a right too many", "grant delete on audit_log to mrg_app", "mrg_app may not rewrite the audit log"],
    ["a hash in hexadecimal", ADD_KEY("ab".repeat(32)), "hashes in apikey are SHA-256 in base64url"],
    [
      "a hash twice",
      `drop index apikey_key_idx; ${ADD_KEY("A".repeat(43))}; ${ADD_KEY("A".repeat(43))}`,
      "no hash occurs twice",
    ],
    [
      "a key without policy",
      "delete from api_key_policy where key_id = (select min(id) from apikey)",
      "every key has a policy",
    ],
    [
      "a policy without key",
      "alter table api_key_policy drop constraint api_key_policy_key_id_apikey_id_fk; insert into api_key_policy (key_id, tenant_id, chain_id) values ('x', 'x', 'x')",
      "every policy has a key",
    ],
    [
      "a change that Redis has not heard of",
      "insert into outbox (target, version, at) values ('key:x', 1, now() - interval '6 minutes')",
      "changes reach Redis",
    ],
  ])("R5: finds %s", async (_, defect, name) => {
    const items = await databases.within(url, async (client) => {
      await client.query("begin");
      await client.query(defect);
      return keyTableChecklist(async (statement) => (await client.query<Record<string, unknown>>(statement)).rows);
    });
    const wrong = items.filter(({ ok }) => !ok);
    expect(wrong.map((item) => item.name)).toEqual([name]);
    expect(wrong[0]?.todo).toMatch(/\w{4}/);
  });
});
