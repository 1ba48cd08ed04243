import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { hiddenFields, pageOf, textOf, type Page } from "../../support/browsing.ts";
import { addUpstream, db, origin, upstreams } from "../../support/gateway.ts";
import { ownNamespace, registryTrail } from "../../support/publishing.ts";
import { addServer, newWord } from "../../support/registry.ts";
import { listed, openPage, pathOf, REGISTRY, RICH, stranger } from "../../support/registry-pages.ts";
import { added, newMember, newOrganization, OWN_FORM, type Member } from "../../support/organizations.ts";

let member: Member;
let tenantId: string;
let word: string;
beforeEach(async () => {
  member = await newMember();
  ({ tenantId } = member.person);
  word = newWord();
});

const open = (path: string, by: Pick<Member, "browser"> = member): Promise<Page> => openPage(by, path);

describe("what members do about a server", () => {
  const act = async (name: string, action: string, fields: Record<string, string>, by: Member = member, query = "") =>
    pageOf(await by.browser.submit(await open(pathOf(name) + query, by), `${pathOf(name)}/${action}`, fields));
  const rows = async (tenant: string, name: string) =>
    (
      await db.execute(sql`select v.version, v.status, v.status_message, v.is_public, s.is_public as server_public, s.gateway_slug,
        v.updated_at > '2026-01-01T00:00:01Z' as is_updated
        from registry_version v join registry_server s on s.id = v.server_id
        where s.tenant_id = ${tenant} and s.name = ${name} order by v.version`)
    ).rows;

  it("deprecate a version, delete it, and restore all", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, versions: [{ version: "1.0.0" }, { version: "2.0.0" }] });
    const deprecated = await act(
      name,
      "status",
      { status: "deprecated", message: "Use 2.0.0" },
      member,
      "?version=1.0.0",
    );
    expect(textOf(deprecated.html)).toContain("The status was changed.");
    expect(textOf(deprecated.html)).toContain("This version is deprecated. Use 2.0.0");
    expect(await rows(tenantId, name)).toMatchObject([
      { status: "deprecated", status_message: "Use 2.0.0" },
      { status: "active" },
    ]);
    await act(name, "status", { status: "deleted", message: "", all: "yes" });
    expect(await rows(tenantId, name)).toMatchObject([{ status: "deleted" }, { status: "deleted" }]);
    expect(listed(await open(REGISTRY))).toEqual([]);
    await act(name, "status", { status: "active", message: "", all: "yes" });
    expect(await rows(tenantId, name)).toMatchObject([{ status: "active" }, { status: "active" }]);
    const [entry] = await registryTrail(name);
    expect(entry).toMatchObject({
      event: "registry.status_changed",
      user_id: member.person.id,
      credential_kind: "session",
    });
  });

  it.each([
    [{ status: "gone", message: "" }, "Choose a status"],
    [{ status: "active", message: "But why" }, "has no message"],
    [{ status: "deleted", message: "x".repeat(501) }, "at most 500 characters"],
  ])("do not set %j", async (fields, said) => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name });
    const page = await act(name, "status", fields);
    expect([page.status, textOf(page.html)]).toEqual([400, expect.stringContaining(said)]);
    expect(await rows(tenantId, name)).toMatchObject([{ status: "active" }]);
  });

  it("leave the status of a mirrored server to its registry", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, isMirrored: true });
    expect((await act(name, "status", { status: "deleted", message: "" })).status).toBe(409);
    expect(await rows(tenantId, name)).toMatchObject([{ status: "active" }]);
  });

  it("show all its versions to everybody and hide them again, on record", async () => {
    const name = `${await ownNamespace(tenantId)}/weather`;
    await addServer({ tenantId, name, versions: [{ version: "1.0.0" }, { version: "2.0.0" }] });
    expect(textOf((await act(name, "visibility", {})).html)).toContain("This server is public now");
    const shown = { is_public: true, server_public: true, is_updated: true };
    expect(await rows(tenantId, name)).toMatchObject([shown, shown]);
    expect((await open(pathOf(name, "/registry"), stranger())).status).toBe(200);
    await act(name, "visibility", {});
    expect(await rows(tenantId, name)).toMatchObject([
      { is_public: false, server_public: false },
      { is_public: false },
    ]);
    expect((await open(pathOf(name, "/registry"), stranger())).status).toBe(404);
    const trail = await registryTrail(name);
    expect(trail.map(({ event }) => event)).toEqual(["registry.visibility_changed", "registry.visibility_changed"]);
  });

  it("show nothing to everybody under a name that is not theirs, nor what they mirror unless they administer the gateway", async () => {
    const [own, mirrored] = [`com.example/${word}`, `com.example/${word}-mirrored`];
    await addServer({ tenantId, name: own });
    await addServer({ tenantId, name: mirrored, isMirrored: true });
    for (const name of [own, mirrored]) {
      expect((await act(name, "visibility", { public: "yes" })).status).toBe(403);
      expect(await rows(tenantId, name)).toMatchObject([{ is_public: false, server_public: false }]);
    }
    await db.execute(sql`update "user" set role = 'admin' where id = ${member.person.id}`);
    expect((await act(own, "visibility", { public: "yes" })).status).toBe(403);
    expect((await act(mirrored, "visibility", { public: "yes" })).status).toBe(200);
    expect(await rows(tenantId, mirrored)).toMatchObject([{ is_public: true, server_public: true }]);
  });

  it("lead clients through this gateway to an upstream that is enabled, and back", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, versions: [{ definition: RICH }] });
    await addUpstream(tenantId, "weather", upstreams.notes);
    await addUpstream(tenantId, "off", upstreams.notes, false);
    expect(textOf((await act(name, "gateway", { gateway: "weather" })).html)).toContain(`${origin}/mcp/weather`);
    expect(await rows(tenantId, name)).toMatchObject([{ gateway_slug: "weather", is_updated: true }]);
    for (const gateway of ["off", "unknown", "../x"])
      expect((await act(name, "gateway", { gateway })).status).toBe(400);
    await act(name, "gateway", { gateway: "" });
    expect(await rows(tenantId, name)).toMatchObject([{ gateway_slug: null }]);
    expect((await registryTrail(name)).map(({ event }) => event)).toEqual([
      "registry.gateway_changed",
      "registry.gateway_changed",
    ]);
  });

  it("O02: of an organization publish and withdraw; its owners and administrators decide how servers are shown", async () => {
    const organization = await newOrganization(member);
    const colleague = await added(member, organization);
    const name = `${await ownNamespace(organization)}/weather`;
    await addServer({ tenantId: organization, name });
    await addServer({ tenantId, name });
    const query = `?tenant=${organization}`;
    const page = await open(pathOf(name) + query, colleague);
    expect(page.html).not.toContain(`${pathOf(name)}/visibility`);
    const token = async (by: Member, action: string, tenant: string) =>
      hiddenFields(await open(`${pathOf(name)}?tenant=${tenant}`, by), `${pathOf(name)}/${action}`);
    // A token from a server of their own: what is refused is not refused for want of one.
    await addServer({ tenantId: colleague.person.tenantId, name });
    for (const [action, field] of [
      ["visibility", { public: "yes" }],
      ["gateway", { gateway: "" }],
    ] as const) {
      const fields = { ...(await token(colleague, action, colleague.person.tenantId)), tenant: organization, ...field };
      expect(pageOf(await colleague.browser.post(`${pathOf(name)}/${action}`, fields, OWN_FORM)).status).toBe(403);
      const outsider = await newMember();
      await addServer({ tenantId: outsider.person.tenantId, name });
      const theirs = { ...(await token(outsider, action, outsider.person.tenantId)), tenant: organization, ...field };
      expect(pageOf(await outsider.browser.post(`${pathOf(name)}/${action}`, theirs, OWN_FORM)).status).toBe(404);
    }
    expect(await rows(organization, name)).toMatchObject([{ is_public: false, gateway_slug: null }]);
    expect((await act(name, "status", { status: "deprecated", message: "" }, colleague, query)).status).toBe(200);
    expect(await rows(organization, name)).toMatchObject([{ status: "deprecated" }]);
    expect(await rows(tenantId, name)).toMatchObject([{ status: "active" }]);
    expect((await act(name, "visibility", {}, member, query)).status).toBe(200);
    expect(await rows(organization, name)).toMatchObject([{ is_public: true }]);
  });

  it("Q03: change nothing by a link", async () => {
    const name = `com.example/${word}`;
    await addServer({ tenantId, name });
    for (const action of ["status", "visibility", "gateway"])
      expect((await open(`${pathOf(name)}/${action}?public=yes&status=deleted`)).status).toBe(404);
    expect(await rows(tenantId, name)).toMatchObject([{ is_public: false, status: "active" }]);
  });
});
