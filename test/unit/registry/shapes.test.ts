import { describe, expect, it } from "vitest";
import { allVersionsStatus, officialMeta, serverList } from "../../support/registry-shapes.ts";
import { COMPLETE } from "./definition/files.ts";

const OFFICIAL = "io.modelcontextprotocol.registry/official";
const official = {
  status: "active",
  statusChangedAt: "2026-11-01T00:00:00Z",
  publishedAt: "2026-11-01T00:00:00Z",
  updatedAt: "2026-11-01T00:00:00.123Z",
  isLatest: true,
};
const response = { server: COMPLETE, _meta: { [OFFICIAL]: official, "com.example.gateway/health": { state: "up" } } };
const list = (more: object) => ({ servers: [response], metadata: { count: 1, nextCursor: "eyJ2IjoxfQ" }, ...more });

describe("the shapes that answers of the registry are held against", () => {
  it("let the documented answers pass", () => {
    expect(serverList.safeParse(list({})).error).toBeUndefined();
    expect(serverList.safeParse({ servers: [], metadata: { count: 0 } }).error).toBeUndefined();
    expect(allVersionsStatus.safeParse({ updatedCount: 1, servers: [response] }).error).toBeUndefined();
    expect(officialMeta.safeParse({ ...official, status: "deprecated", statusMessage: "Use 2.0.0." }).success).toBe(
      true,
    );
  });

  it.each<[string, unknown]>([
    ["no metadata, which VS Code reads", { servers: [response] }],
    ["a wrong count", list({ metadata: { count: 2 } })],
    ["a cursor that needs encoding", list({ metadata: { count: 1, nextCursor: "com.example/weather:1.0.0" } })],
    ["a further field", list({ total: 1 })],
    ["no _meta, which VS Code reads", list({ servers: [{ server: COMPLETE }] })],
    [
      "a further field of the registry's own",
      list({ servers: [{ ...response, _meta: { [OFFICIAL]: { ...official, id: 1 } } }] }),
    ],
    ["an unknown status", list({ servers: [{ ...response, _meta: { [OFFICIAL]: { ...official, status: "new" } } }] })],
    [
      "a moment without zone",
      list({ servers: [{ ...response, _meta: { [OFFICIAL]: { ...official, updatedAt: "2026-11-01T00:00:00" } } }] }),
    ],
    ["a key of no namespace", list({ servers: [{ ...response, _meta: { [OFFICIAL]: official, health: {} } }] })],
    ["a server without version", list({ servers: [{ ...response, server: { ...COMPLETE, version: undefined } }] })],
    ["a server's unknown field", list({ servers: [{ ...response, server: { ...COMPLETE, tenantId: "a" } }] })],
  ])("stop %s", (_, answer) => {
    expect(serverList.safeParse(answer).success).toBe(false);
  });
});
