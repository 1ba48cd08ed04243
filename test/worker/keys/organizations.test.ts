import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { createKey } from "../../../src/keys/creation.ts";
import { listKeys, type KeyActor } from "../../../src/keys/keys.ts";
import { KEY_SCOPES } from "../../../src/identity/scopes.ts";
import { db, newUser } from "../../support/gateway.ts";
import {
  KEYS,
  postKey,
  newManager,
  NOBODY,
  rowsOf,
  organizationOf,
  trailOf,
  type ShownKey,
} from "../../support/keys.ts";
import { json } from "../../support/oauth.ts";

/** A person who is signed in: no credential that acts in one tenant only. */
const signedIn = (userId: string): KeyActor => ({
  ...NOBODY,
  userId,
  credential: { kind: "session", id: "session" },
  scopes: new Set(KEY_SCOPES),
});

const make = (userId: string, fields: { tenantId?: string; owner?: "user" | "organization" }) =>
  createKey({ db }, signedIn(userId), { name: "Laptop", scopes: ["mcp:tools"], ...fields }, Date.now());

describe("a key in an organization", () => {
  it("R7: of a member acts in the organization and stays the member's", async () => {
    const organization = await organizationOf("owner", "member");
    const member = await newManager({ userId: organization.member, tenantId: organization.id });
    const { id, ...shown } = await postKey(member);
    expect(shown).toMatchObject({ tenantId: organization.id, owner: "user" });
    expect(await rowsOf(id)).toMatchObject({
      config_id: "default",
      reference_id: organization.member,
      policy: { tenant_id: organization.id },
    });
    const owner = await newManager({ userId: organization.owner, tenantId: organization.id });
    expect((await owner.api("GET", `${KEYS}/${id}`)).status).toBe(404);
    expect((await trailOf(id))[0]).toMatchObject({ tenant_id: organization.id });
  });

  it("R7: of the organization is managed by its owners and administrators, and outlives whoever made it", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    const [owner, admin, member] = [
      await newManager({ userId: organization.owner, tenantId: organization.id }),
      await newManager({ userId: organization.admin, tenantId: organization.id }),
      await newManager({ userId: organization.member, tenantId: organization.id }),
    ];
    const { id } = await postKey(admin, { owner: "organization" });
    expect(await rowsOf(id)).toMatchObject({
      config_id: "organization",
      reference_id: organization.id,
      policy: { tenant_id: organization.id, created_by: organization.admin },
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
    await db.execute(
      sql`delete from member where user_id = ${organization.admin} and organization_id = ${organization.id}`,
    );
    expect((await admin.api("GET", `${KEYS}/${id}`)).status).toBe(404);
    const rotated = await owner.api("POST", `${KEYS}/${id}/rotate`, {});
    expect(rotated.status).toBe(201);
    expect(await rowsOf((await rotated.json<ShownKey>()).id)).toMatchObject({
      config_id: "organization",
      reference_id: organization.id,
      policy: { created_by: organization.owner },
    });
    expect((await owner.api("DELETE", `${KEYS}/${id}`)).status).toBe(200);
  });

  it("O02: is not made for the organization by a member, a stranger, or somebody who was demoted", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    const stranger = await newUser();
    expect(await make(organization.admin, { tenantId: organization.id, owner: "organization" })).toMatchObject({
      state: "done",
    });
    await db.execute(
      sql`update member set role = 'member' where user_id = ${organization.admin} and organization_id = ${organization.id}`,
    );
    for (const userId of [organization.admin, organization.member, stranger.id]) {
      expect(await make(userId, { tenantId: organization.id, owner: "organization" })).toMatchObject({
        state: "forbidden",
      });
    }
    expect(await make(stranger.id, { tenantId: organization.id })).toMatchObject({ state: "forbidden" });
    const { rows } = await db.execute(sql`select 1 from api_key_policy where tenant_id = ${organization.id}`);
    expect(rows).toHaveLength(1);
  });

  it("O02: is not made for the organization with the scope admin, even by an administrator of the gateway", async () => {
    const organization = await organizationOf("owner");
    await db.execute(sql`update "user" set role = 'admin' where id = ${organization.owner}`);
    const fields = { name: "x", scopes: ["admin"] as const, tenantId: organization.id };
    const actor = signedIn(organization.owner);
    expect(await createKey({ db }, actor, { ...fields, owner: "organization" }, Date.now())).toMatchObject({
      state: "forbidden",
    });
    expect(await createKey({ db }, actor, fields, Date.now())).toMatchObject({ state: "done" });
    const manager = await newManager({
      userId: organization.owner,
      tenantId: organization.id,
      scopes: ["keys:write", "admin"],
    });
    const { id } = await postKey(manager, { owner: "organization", scopes: ["keys:write"] });
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
    const organization = await organizationOf("owner");
    const [personal, inOrganization] = [
      await newManager({ userId: organization.owner }),
      await newManager({ userId: organization.owner, tenantId: organization.id }),
    ];
    const answer = await personal.api("POST", KEYS, { name: "x", tenantId: organization.id });
    expect([answer.status, (await json(answer))["code"]]).toEqual([403, "forbidden"]);
    for (const owner of ["user", "organization"]) {
      const { id } = await postKey(inOrganization, { owner });
      expect((await personal.api("GET", `${KEYS}/${id}`)).status).toBe(404);
      expect((await personal.api("DELETE", `${KEYS}/${id}`)).status).toBe(404);
    }
    const { keys } = await (await personal.api("GET", KEYS)).json<{ keys: ShownKey[] }>();
    expect(keys.map(({ id }) => id)).toEqual([personal.id]);
  });

  it("R7: is listed to a signed-in person beside the personal ones", async () => {
    const [organization, other] = [await organizationOf("owner", "member"), await organizationOf("owner")];
    const made = [
      await make(organization.owner, {}),
      await make(organization.owner, { tenantId: organization.id }),
      await make(organization.owner, { tenantId: organization.id, owner: "organization" }),
    ].map((key) => (key.state === "done" ? key.info.id : key.state));
    await make(organization.member, { tenantId: organization.id });
    await make(other.owner, { tenantId: other.id, owner: "organization" });
    const listed = await listKeys(db, signedIn(organization.owner), { now: Date.now() });
    expect(listed.map(({ id }) => id)).toEqual(made.toReversed());
  });

  it("is refused beyond two hundred of the organization, whoever makes it", async () => {
    const organization = await organizationOf("owner", "admin");
    await db.execute(sql`
      insert into apikey (id, config_id, name, reference_id, key, enabled, created_at, updated_at)
      select gen_random_uuid()::text, 'organization', 'x', ${organization.id}, gen_random_uuid()::text, true, now(), now()
      from generate_series(1, 199)`);
    const made = await Promise.all(
      [organization.owner, organization.admin].map((userId) =>
        make(userId, { tenantId: organization.id, owner: "organization" }),
      ),
    );
    expect(made.map(({ state }) => state).toSorted()).toEqual(["conflict", "done"]);
    expect(await make(organization.owner, { tenantId: organization.id })).toMatchObject({ state: "done" });
  });
});
