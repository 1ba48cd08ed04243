import { describe, expect, it } from "vitest";
import { grantRecord, keyRecord, keyUserId } from "../../../../src/access/credential/fill.ts";
import { machineUserId } from "../../../../src/access/principal.ts";
import { personalTenantId } from "../../../../src/identity/standing.ts";
import { planOf } from "../../../../src/limits/plan.ts";
import { addressRange } from "../../../../src/platform/ip.ts";
import { grantOf, NOW, tokenClaim, versioned } from "../credentials.ts";
import { PostgresDown, ROW, stores } from "../stores.ts";

const A = { perMinute: 1, burst: 2 };
const B = { perMinute: 3, burst: 4 };

/** The record of a key with such a row. */
async function read(change: Partial<typeof ROW> = {}, limits = {}) {
  const { deps } = stores({ postgres: [[{ ...ROW, ...change }]] });
  return (await keyRecord({ ...deps, limits }, "hash-1"))?.record;
}

describe("R7: the record of a key", () => {
  it("R7: is read by the hash of the key from the table of Better Auth, by one statement", async () => {
    const { deps, asked } = stores({ postgres: [[ROW]] });
    expect(await keyRecord(deps, "hash-1")).toEqual(versioned());
    expect(asked.statements).toHaveLength(1);
    expect(asked.statements[0]?.params).toEqual(["hash-1"]);
    expect(asked.statements[0]?.sql).toMatch(/from apikey k\s.*where k\.key = \$1\s/s);
  });

  it("R7: is none when there is no such key", async () => {
    expect(await keyRecord(stores({ postgres: [[]] }).deps, "hash-1")).toBeNull();
  });

  it("R8: is none that could be had when Postgres does not answer", async () => {
    const { deps } = stores({ postgres: [new PostgresDown("away")] });
    await expect(keyRecord(deps, "hash-1")).rejects.toThrow("away");
  });

  it("R7: works only when the table, the policy, and the standing of its owner all say so", async () => {
    const { deps, asked } = stores({ postgres: [[{ ...ROW, works: false }]] });
    expect((await keyRecord(deps, "hash-1"))?.record.works).toBe(false);
    const sql = asked.statements[0]?.sql ?? "";
    for (const condition of ["k.enabled is true", "p.revoked_at is null", "u.id is not null", "u.banned is not true"]) {
      expect(sql).toContain(condition);
    }
  });

  it.each<[string | null, string[]]>([
    [null, []],
    ["null", []],
    ["{}", []],
    ["", []],
    ["{", []],
    ['{"mcp":"tools"}', []],
    ['["mcp:tools"]', []],
    ['{"mcp":["tools"],"files":["read"],"audit":["read"]}', ["mcp:tools", "audit:read"]],
    ['{"admin":["*"]}', ["admin"]],
  ])("R7: holds, with the permissions %j, the scopes %j", async (permissions, scopes) => {
    expect((await read({ permissions }))?.scopes).toEqual(scopes);
  });

  it("R7: is of nobody's but the key's own when it is an organization's", async () => {
    expect((await read({ user_id: null }))?.userId).toBe("key:key-1");
    expect(keyUserId("key-1")).toBe("key:key-1");
  });

  it("R7: has times in milliseconds, whole or not", async () => {
    expect(await read({ expires_at: NOW + 0.5, disabled_until: NOW })).toMatchObject({
      expiresAt: NOW + 0.5,
      disabledUntil: NOW,
    });
  });

  it("J14: has the ranges of its addresses, and a mistake among them lets nobody in", async () => {
    expect((await read({ addresses: ["192.0.2.0/24", "10.0.0.0/8x", "192.0.2.1/33"] }))?.addresses).toEqual([
      addressRange("192.0.2.0/24"),
    ]);
    expect((await read({ addresses: ["nonsense"] }))?.addresses).toEqual([]);
    expect((await read({ addresses: [] }))?.addresses).toEqual([]);
    expect((await read())?.addresses).toBeNull();
  });

  it("L14: tells an empty list from none", async () => {
    expect(await read({ servers: [], tools: ["echo"] })).toMatchObject({ servers: [], tools: ["echo"] });
    expect(await read()).toMatchObject({ servers: null, tools: null });
  });

  it("R10: has the plan of operator, tenant and key, in this order", async () => {
    expect((await read({ limits: { tenant: B }, per_minute: 9, burst: 5 }, { tenant: A, user: A }))?.plan).toEqual(
      planOf({ tenant: A, user: A }, { tenant: B }, { perMinute: 9, burst: 5 }),
    );
    expect((await read({ per_minute: 9 }))?.plan.credential).toEqual({ perMinute: 9, burst: 9 });
    expect([(await read())?.hasOwnRate, (await read({ per_minute: 9 }))?.hasOwnRate]).toEqual([false, true]);
  });

  it.each([[null], [7], ["x"], [[]], [{ tenant: { perMinute: 0, burst: 1 } }], [{ unheardOf: A }]])(
    "R10: has the operator's plan when what the tenant was given cannot be read: %j",
    async (limits) => {
      expect((await read({ limits }, { user: A }))?.plan).toEqual(planOf({ user: A }, {}, null));
    },
  );

  it("has its quota in numbers, with nothing used when nothing is noted", async () => {
    const quota = { quota_max: "10", period: "2027-01", period_ends: NOW };
    expect((await read({ ...quota, used: "4" }))?.quota).toEqual({ max: 10, period: "2027-01", used: 4, endsAt: NOW });
    expect((await read({ ...quota, period: "total", period_ends: null }))?.quota).toEqual({
      max: 10,
      period: "total",
      used: 0,
      endsAt: null,
    });
    expect((await read())?.quota).toBeNull();
  });
});

describe("R8: the record of a grant", () => {
  it("R8: is read by what its token says, by one statement", async () => {
    const { deps, asked } = stores({ postgres: [[ROW]] });
    const found = await grantRecord(deps, tokenClaim({ clientGrantId: "managed-1" }).grant);
    expect(found).toEqual({ record: grantOf(), version: 1, tenantEpoch: 5, userEpoch: 7 });
    expect(asked.statements).toHaveLength(1);
    expect(asked.statements[0]?.params).toEqual([
      "grant-1",
      "managed-1",
      "client-1",
      false,
      "tenant-1",
      false,
      "tenant-1",
      "user-1",
      "user-1",
      "t:tenant-1",
      "u:user-1",
      "tenant-1",
    ]);
  });

  it("R8: does not work when the statement says so, and has the plan of its tenant", async () => {
    const { deps } = stores({ postgres: [[{ ...ROW, works: false, is_administrator: true, limits: { tenant: A } }]] });
    const { record } = await grantRecord(deps, tokenClaim().grant);
    expect(record).toMatchObject({ works: false, isAdministrator: true, scopes: null, quota: null });
    expect(record.plan).toEqual(planOf({}, { tenant: A }, null));
  });

  it.each([
    ["a person in an organization", "user-1", "tenant-1", [false, false]],
    ["a person in their own tenant", "user-1", personalTenantId("user-1"), [false, true]],
    ["a client by itself", machineUserId("client-1"), "tenant-1", [true, false]],
    ["another client's account", machineUserId("client-2"), "tenant-1", [false, false]],
  ])("R8: is asked for as what it is: %s", async (_who, userId, tenantId, [isMachine, isPersonal]) => {
    const { deps, asked } = stores({ postgres: [[ROW]] });
    await grantRecord(deps, { ...tokenClaim().grant, userId, tenantId });
    const { params = [] } = asked.statements[0] ?? {};
    expect([params[3], params[5]]).toEqual([isMachine, isPersonal]);
  });
});
