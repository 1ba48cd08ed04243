import { describe, expect, it } from "vitest";
import { sql } from "drizzle-orm";
import { db, newKey } from "../../support/gateway.ts";
import {
  ask,
  definition,
  newPublisher,
  problemOf,
  publishTo,
  registryTrail,
  serverPath,
  versionsIn,
} from "../../support/publishing.ts";
import { allVersionsStatus, serverResponse } from "../../support/registry-shapes.ts";

const OFFICIAL = "io.modelcontextprotocol.registry/official";

/** A publisher with a server of these versions. */
async function withVersions(...versions: string[]) {
  const publisher = await newPublisher();
  const name = `${publisher.namespace}/weather`;
  for (const version of versions) await publishTo(definition(name, { version }), { key: publisher.key });
  const patch = (body: unknown, version?: string, key = publisher.key, root = "/v0.1") =>
    ask("PATCH", `${serverPath(name, version, root)}/status`, body, { key });
  return { ...publisher, name, patch };
}

describe("the status of a version", () => {
  it("changes with a message, and back without one, while the version stays as it is", async () => {
    const { name, patch, tenantId } = await withVersions("1.0.0", "2.0.0");
    const deprecated = await patch({ status: "deprecated", statusMessage: "Use 2.0.0" }, "1.0.0");
    expect(deprecated.status).toBe(200);
    const before = serverResponse.parse(await deprecated.json());
    expect(before._meta[OFFICIAL]).toMatchObject({ status: "deprecated", statusMessage: "Use 2.0.0", isLatest: false });
    const active = await patch({ status: "active" }, "1.0.0", undefined, "/v0");
    const after = serverResponse.parse(await active.json());
    expect(after._meta[OFFICIAL]).toMatchObject({ status: "active" });
    expect(after._meta[OFFICIAL]).not.toHaveProperty("statusMessage");
    expect(after.server).toEqual(before.server);
    expect(Date.parse(after._meta[OFFICIAL].updatedAt)).toBeGreaterThanOrEqual(
      Date.parse(before._meta[OFFICIAL].updatedAt),
    );
    expect(await versionsIn(tenantId, name)).toEqual([
      { version: "1.0.0", is_latest: false, status: "active" },
      { version: "2.0.0", is_latest: true, status: "active" },
    ]);
    expect((await registryTrail(`${name}@1.0.0`)).map(({ event, detail }) => [event, detail])).toEqual([
      ["registry.published", { latest: true }],
      ["registry.status_changed", { status: "deprecated", all: false }],
      ["registry.status_changed", { status: "active", all: false }],
    ]);
  });

  it("keeps the time of its change when only the message changes", async () => {
    const { patch } = await withVersions("1.0.0");
    const first = serverResponse.parse(await (await patch({ status: "deprecated" }, "1.0.0")).json());
    const second = serverResponse.parse(
      await (await patch({ status: "deprecated", statusMessage: "Old" }, "1.0.0")).json(),
    );
    expect(second._meta[OFFICIAL].statusChangedAt).toBe(first._meta[OFFICIAL].statusChangedAt);
    expect(second._meta[OFFICIAL].statusMessage).toBe("Old");
  });

  it.each([
    ["nothing changes", { status: "active" }],
    ["an active version gets a message", { status: "active", statusMessage: "Fine" }],
    ["the status is unknown", { status: "gone" }],
    ["there is no status", { statusMessage: "Old" }],
    ["the message is too long", { status: "deleted", statusMessage: "x".repeat(501) }],
    ["the message has control characters", { status: "deleted", statusMessage: "a\u0000b" }],
    ["there is another field", { status: "deleted", version: "2.0.0" }],
    ["it is no JSON", "{"],
  ])("is refused when %s", async (_case, body) => {
    const { patch, name, tenantId } = await withVersions("1.0.0");
    for (const version of ["1.0.0", undefined]) {
      const problem = await problemOf(await patch(body, version));
      expect(problem).toMatchObject({ status: 400, code: "invalid_request", error: problem.detail });
    }
    expect(await versionsIn(tenantId, name)).toMatchObject([{ status: "active" }]);
  });

  it("hides a deleted version, which can be brought back", async () => {
    const { key, name, patch } = await withVersions("1.0.0");
    await patch({ status: "deleted", statusMessage: "Harmful" }, "1.0.0");
    expect((await ask("GET", serverPath(name, "1.0.0"), undefined, { key })).status).toBe(404);
    expect((await ask("GET", `${serverPath(name, "1.0.0")}?include_deleted=true`, undefined, { key })).status).toBe(
      200,
    );
    expect((await patch({ status: "active" }, "1.0.0")).status).toBe(200);
    expect((await ask("GET", serverPath(name, "1.0.0"), undefined, { key })).status).toBe(200);
  });
});

describe("the status of all versions", () => {
  it("changes in one transaction and answers all of them", async () => {
    const { name, patch, tenantId } = await withVersions("1.0.0", "1.1.0", "2.0.0");
    await patch({ status: "deprecated", statusMessage: "Archived" }, "1.0.0");
    const answer = await patch({ status: "deprecated", statusMessage: "Archived" });
    const { updatedCount, servers } = allVersionsStatus.parse(await answer.json());
    expect(updatedCount).toBe(3);
    expect(servers.map(({ server }) => server.version)).toEqual(["2.0.0", "1.1.0", "1.0.0"]);
    expect((await versionsIn(tenantId, name)).map(({ status }) => status)).toEqual([
      "deprecated",
      "deprecated",
      "deprecated",
    ]);
    expect((await registryTrail(name)).map(({ event, detail }) => [event, detail])).toEqual([
      ["registry.status_changed", { status: "deprecated", all: true }],
    ]);
    expect((await patch({ status: "deprecated", statusMessage: "Archived" })).status).toBe(400);
  });
});

describe("who may change a status", () => {
  it("O01 O03: nobody without a credential, no reader, and no other tenant, for whom there is no such server", async () => {
    const { name, patch, tenantId } = await withVersions("1.0.0");
    const other = await newPublisher();
    const reader = await newKey({ scopes: ["mcp-registry:read"] });
    for (const version of ["1.0.0", undefined]) {
      expect((await ask("PATCH", `${serverPath(name, version)}/status`, { status: "deleted" })).status).toBe(401);
      expect((await patch({ status: "deleted" }, version, reader.key)).status).toBe(403);
      expect((await patch({ status: "deleted" }, version, other.key)).status).toBe(404);
    }
    expect(await versionsIn(tenantId, name)).toMatchObject([{ status: "active" }]);
  });

  it.each(["latest", "9.9.9", "1.0.0 ", "%"])("there is no version %j to change", async (version) => {
    expect((await (await withVersions("1.0.0")).patch({ status: "deleted" }, version)).status).toBe(404);
  });

  it("a tenant that has given its namespace back still may withdraw what it has published", async () => {
    const { namespace, patch } = await withVersions("1.0.0");
    await db.execute(sql`delete from registry_namespace where namespace = ${namespace}`);
    expect((await patch({ status: "deleted" }, "1.0.0")).status).toBe(200);
  });

  it("nobody changes a mirrored server here", async () => {
    const { name, patch } = await withVersions("1.0.0");
    await db.execute(sql`update registry_server set source_id = ${crypto.randomUUID()}::uuid where name = ${name}`);
    expect((await patch({ status: "deleted" }, "1.0.0")).status).toBe(409);
  });
});

describe("a version", () => {
  it.each(["PUT", "DELETE"])("cannot be changed by %s, which says what can", async (method) => {
    const { name, key } = await withVersions("1.0.0");
    const problem = await problemOf(await ask(method, serverPath(name, "1.0.0"), {}, { key }));
    expect(problem).toMatchObject({
      status: 501,
      code: "not_implemented",
      error: expect.stringContaining("PATCH its status"),
    });
  });

  it.each([
    ["GET", "/v0.1/publish", "POST"],
    ["DELETE", "/v0/validate", "POST"],
    ["POST", "/v0.1/health", "GET"],
    ["GET", "/v0/auth/dns", "POST"],
    ["POST", "/v0.1/servers/com.example%2Fw/status", "PATCH"],
  ])("%s %s is answered with the method that there is", async (method, path, allow) => {
    const answer = await ask(method, path, undefined);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
  });
});
