import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { createKey } from "../../src/keys/creation.ts";
import { listKeys, type KeyActor } from "../../src/keys/keys.ts";
import { KEY_SCOPES } from "../../src/identity/scopes.ts";
import { db, newUser } from "../support/gateway.ts";
import { KEYS, makeKey, newManager, NOBODY, rowsOf, teamOf, trailOf, type ShownKey } from "../support/keys.ts";
import { json } from "../support/oauth.ts";

/** A person who is signed in: no credential that acts in one tenant only. */
const signedIn = (userId: string): KeyActor => ({
  ...NOBODY,
  userId,
  credential: { kind: "session", id: "session" },
  scopes: new Set(KEY_SCOPES),
});

const make = (userId: string, fields: { tenantId?: string; owner?: "user" | "organization" }) =>
  createKey({ db }, signedIn(userId), { name: "Laptop", scopes: ["mcp:tools"], ...fields }, Date.now());

describe("a key in a team", () => {
  it("R7: of a member acts in the team and stays the member's", async () => {
    const team = await teamOf("owner", "member");
    const member = await newManager({ userId: team.member, tenantId: team.id });
    const { id, ...shown } = await makeKey(member);
    expect(shown).toMatchObject({ tenantId: team.id, owner: "user" });
    expect(await rowsOf(id)).toMatchObject({
      config_id: "default",
      reference_id: team.member,
      policy: { tenant_id: team.id },
    });
    const owner = await newManager({ userId: team.owner, tenantId: team.id });
    expect((await owner.api("GET", `${KEYS}/${id}`)).status).toBe(404);
    expect((await trailOf(id))[0]).toMatchObject({ tenant_id: team.id });
  });

  it("R7: of the team is managed by its owners and administrators, and outlives whoever made it", async () => {
    const team = await teamOf("owner", "admin", "member");
    const [owner, admin, member] = [
      await newManager({ userId: team.owner, tenantId: team.id }),
      await newManager({ userId: team.admin, tenantId: team.id }),
      await newManager({ userId: team.member, tenantId: team.id }),
    ];
    const { id } = await makeKey(admin, { owner: "organization" });
    expect(await rowsOf(id)).toMatchObject({
      config_id: "organization",
      reference_id: team.id,
      policy: { tenant_id: team.id, created_by: team.admin },
    });
    expect(await json(await owner.api("GET", `${KEYS}/${id}`))).toMatchObject({ id, owner: "organization" });
    expect(await (await owner.api("GET", KEYS)).text()).toContain(id);
    const tries = [
      ["GET", ""],
      ["PATCH", "", { name: "x" }],
      ["POST", "/rotate", {}],
      ["DELETE", ""],
    ] as const;
    for (const [method, path, body] of tries) {
      expect((await member.api(method, `${KEYS}/${id}${path}`, body)).status).toBe(404);
    }
    expect(await (await member.api("GET", KEYS)).text()).not.toContain(id);
    await db.execute(sql`delete from member where user_id = ${team.admin} and organization_id = ${team.id}`);
    expect((await admin.api("GET", `${KEYS}/${id}`)).status).toBe(404);
    const rotated = await owner.api("POST", `${KEYS}/${id}/rotate`, {});
    expect(rotated.status).toBe(201);
    expect(await rowsOf((await rotated.json<ShownKey>()).id)).toMatchObject({
      config_id: "organization",
      reference_id: team.id,
      policy: { created_by: team.owner },
    });
    expect((await owner.api("DELETE", `${KEYS}/${id}`)).status).toBe(200);
  });

  it("O02: is not made for the team by a member, a stranger, or somebody who was demoted", async () => {
    const team = await teamOf("owner", "admin", "member");
    const stranger = await newUser();
    expect(await make(team.admin, { tenantId: team.id, owner: "organization" })).toMatchObject({ state: "done" });
    await db.execute(
      sql`update member set role = 'member' where user_id = ${team.admin} and organization_id = ${team.id}`,
    );
    for (const userId of [team.admin, team.member, stranger.id]) {
      expect(await make(userId, { tenantId: team.id, owner: "organization" })).toMatchObject({ state: "forbidden" });
    }
    expect(await make(stranger.id, { tenantId: team.id })).toMatchObject({ state: "forbidden" });
    const { rows } = await db.execute(sql`select 1 from api_key_policy where tenant_id = ${team.id}`);
    expect(rows).toHaveLength(1);
  });

  it("O02: is not made for the team with the scope admin, even by an administrator of the gateway", async () => {
    const team = await teamOf("owner");
    await db.execute(sql`update "user" set role = 'admin' where id = ${team.owner}`);
    const fields = { name: "x", scopes: ["admin"] as const, tenantId: team.id };
    const actor = signedIn(team.owner);
    expect(await createKey({ db }, actor, { ...fields, owner: "organization" }, Date.now())).toMatchObject({
      state: "forbidden",
    });
    expect(await createKey({ db }, actor, fields, Date.now())).toMatchObject({ state: "done" });
    const manager = await newManager({ userId: team.owner, tenantId: team.id, scopes: ["keys:write", "admin"] });
    const { id } = await makeKey(manager, { owner: "organization", scopes: ["keys:write"] });
    expect((await manager.api("PATCH", `${KEYS}/${id}`, { scopes: ["admin"] })).status).toBe(403);
  });

  it("O03: is none in a personal organization, whoever owns that", async () => {
    const { id, tenantId } = await newUser();
    expect(await make(id, { owner: "organization" })).toMatchObject({ state: "forbidden" });
    expect(await make(id, { tenantId })).toMatchObject({ state: "done", info: { tenantId } });
  });

  it.each(["", " ", "nobody", "personal-", "%", "' or 1=1 --"])(
    "O03: is not made in the tenant %j",
    async (tenantId) => {
      const { id } = await newUser();
      for (const owner of ["user", "organization"] as const) {
        expect(await make(id, { tenantId, owner })).toMatchObject({ state: "forbidden" });
      }
    },
  );

  it("O03: is out of reach of a credential that acts in another tenant of the same person", async () => {
    const team = await teamOf("owner");
    const [personal, inTeam] = [
      await newManager({ userId: team.owner }),
      await newManager({ userId: team.owner, tenantId: team.id }),
    ];
    const answer = await personal.api("POST", KEYS, { name: "x", tenantId: team.id });
    expect([answer.status, (await json(answer))["code"]]).toEqual([403, "forbidden"]);
    for (const owner of ["user", "organization"]) {
      const { id } = await makeKey(inTeam, { owner });
      expect((await personal.api("GET", `${KEYS}/${id}`)).status).toBe(404);
      expect((await personal.api("DELETE", `${KEYS}/${id}`)).status).toBe(404);
    }
    const { keys } = await (await personal.api("GET", KEYS)).json<{ keys: ShownKey[] }>();
    expect(keys.map(({ id }) => id)).toEqual([personal.id]);
  });

  it("R7: is listed to a signed-in person beside the personal ones", async () => {
    const [team, other] = [await teamOf("owner", "member"), await teamOf("owner")];
    const made = [
      await make(team.owner, {}),
      await make(team.owner, { tenantId: team.id }),
      await make(team.owner, { tenantId: team.id, owner: "organization" }),
    ].map((key) => (key.state === "done" ? key.info.id : key.state));
    await make(team.member, { tenantId: team.id });
    await make(other.owner, { tenantId: other.id, owner: "organization" });
    const listed = await listKeys(db, signedIn(team.owner), { now: Date.now() });
    expect(listed.map(({ id }) => id)).toEqual(made.toReversed());
  });

  it("is refused beyond two hundred of the team, whoever makes it", async () => {
    const team = await teamOf("owner", "admin");
    await db.execute(sql`
      insert into apikey (id, config_id, name, reference_id, key, enabled, created_at, updated_at)
      select gen_random_uuid()::text, 'organization', 'x', ${team.id}, gen_random_uuid()::text, true, now(), now()
      from generate_series(1, 199)`);
    const made = await Promise.all(
      [team.owner, team.admin].map((userId) => make(userId, { tenantId: team.id, owner: "organization" })),
    );
    expect(made.map(({ state }) => state).toSorted()).toEqual(["conflict", "done"]);
    expect(await make(team.owner, { tenantId: team.id })).toMatchObject({ state: "done" });
  });
});
