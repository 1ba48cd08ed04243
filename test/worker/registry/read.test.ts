import { describe, expect, it, vi } from "vitest";
import { newKey, request, resetStats, withFault } from "../../support/gateway.ts";
import {
  addServer,
  expectProblem,
  namesIn,
  newRegistry,
  newWord,
  read,
  registryRequests,
  type ListAnswer,
  type ServerAnswer,
} from "../../support/registry.ts";
import { serverList, serverResponse } from "../../support/registry-shapes.ts";

const OFFICIAL = "io.modelcontextprotocol.registry/official";
const at = (name: string, rest = "") => `/v0.1/servers/${encodeURIComponent(name)}/versions${rest}`;
const remote = { type: "streamable-http", url: "https://mcp.example.com/" };
const npm = { registryType: "npm", identifier: "@example/weather", version: "1.0.0", transport: { type: "stdio" } };

async function weather() {
  const registry = await newRegistry();
  const name = "com.example/weather";
  await addServer({
    tenantId: registry.tenantId,
    name,
    versions: [
      { version: "1.0.0", status: "deleted", at: "2026-01-01T00:00:00.000Z" },
      { version: "1.1.0", status: "deprecated", statusMessage: "Use 2.", at: "2026-02-01T00:00:00.000Z" },
      {
        version: "2.0.0",
        at: "2026-03-01T00:00:00.000Z",
        definition: { title: "Weather", remotes: [remote], packages: [npm] },
      },
    ],
  });
  return { ...registry, name };
}

describe("a list of servers", () => {
  it("R19: has the official shape, in the order of names and versions, without deleted ones", async () => {
    const { headers, tenantId } = await weather();
    await addServer({ tenantId, name: "com.example/Atlas" });
    const list = await read<ListAnswer>("/v0.1/servers", headers);
    expect(serverList.parse(list)).toEqual(list);
    expect(list.metadata).toEqual({ count: 3 });
    expect(list.servers.map(({ server }) => `${server.name} ${server.version}`)).toEqual([
      "com.example/Atlas 1.0.0",
      "com.example/weather 1.1.0",
      "com.example/weather 2.0.0",
    ]);
    expect(list.servers[1]?._meta[OFFICIAL]).toEqual({
      status: "deprecated",
      statusMessage: "Use 2.",
      statusChangedAt: "2026-02-01T00:00:00.000Z",
      publishedAt: "2026-02-01T00:00:00.000Z",
      updatedAt: "2026-02-01T00:00:00.000Z",
      isLatest: false,
    });
    expect(list.servers[2]?._meta[OFFICIAL]).toMatchObject({ status: "active", isLatest: true });
    expect(list.servers[2]?._meta[OFFICIAL]).not.toHaveProperty("statusMessage");
  });

  it.each([
    ["version=latest", ["2.0.0"]],
    ["version=1.1.0", ["1.1.0"]],
    ["version=1.0.0", []],
    ["include_deleted=true", ["1.0.0", "1.1.0", "2.0.0"]],
    ["include_deleted=false", ["1.1.0", "2.0.0"]],
    ["updated_since=2026-01-15T00:00:00Z", ["1.1.0", "2.0.0"]],
    ["updated_since=2026-01-01T01:00:00%2B01:00", ["1.0.0", "1.1.0", "2.0.0"]],
    ["updated_since=2026-01-15T00:00:00Z&include_deleted=true", ["1.1.0", "2.0.0"]],
    ["search=WEATH", ["1.1.0", "2.0.0"]],
    ["search=the%20server", ["1.1.0", "2.0.0"]],
    ["search=nothing", []],
    ["search=&cursor=&version=&unknown=1", ["1.1.0", "2.0.0"]],
  ])("narrowed by %s has the versions %j", async (query, versions) => {
    const { headers } = await weather();
    const list = await read<ListAnswer>(`/v0.1/servers?${query}`, headers);
    expect(list.servers.map(({ server }) => server.version)).toEqual(versions);
  });

  it("goes on where the page before ended, with the filters of the first page whatever is said later", async () => {
    const { headers, tenantId } = await newRegistry();
    const names = Array.from({ length: 7 }, (_, index) => `com.example/tool-${index}`);
    for (const name of names)
      await addServer({ tenantId, name, versions: [{ version: "1.0.0" }, { version: "1.1.0" }] });
    await addServer({ tenantId, name: "com.example/other" });
    const seen: string[] = [];
    let cursor: string | undefined;
    let query = "limit=3&version=latest&search=tool";
    for (let page = 0; page < 5; page++) {
      const list = await read<ListAnswer>(`/v0.1/servers?${query}`, headers);
      seen.push(...list.servers.map(({ server }) => `${server.name} ${server.version}`));
      cursor = list.metadata.nextCursor;
      if (cursor === undefined) break;
      query = `limit=3&cursor=${cursor}&search=ignored`;
    }
    expect(cursor).toBeUndefined();
    expect(seen).toEqual(names.map((name) => `${name} 1.1.0`));
  });

  it("has 30 entries unless a limit says otherwise, and the last page no cursor", async () => {
    const { headers, tenantId } = await newRegistry();
    const versions = Array.from({ length: 100 }, (_, index) => ({ version: `1.0.${index}` }));
    await addServer({ tenantId, name: "com.example/many", versions });
    expect((await read<ListAnswer>("/v0/servers", headers)).metadata).toMatchObject({
      count: 30,
      nextCursor: expect.any(String),
    });
    expect((await read<ListAnswer>("/v0/servers?limit=100", headers)).metadata).toEqual({ count: 100 });
  });

  it.each([
    "limit=-1",
    "limit=0",
    "limit=101",
    "limit=1e9",
    "limit=1000000000",
    "limit=1.5",
    "limit=x",
    "limit=5&limit=6",
    "cursor=x",
    "cursor=com.example%2Fweather:1.0.0",
    "cursor=eyJ2IjoxfQ",
    `cursor=${"A".repeat(5000)}`,
    "cursor='%20or%201=1",
    `search=${"a".repeat(201)}`,
    "search=%00",
    "search=a%0Ab",
    "search=a&search=b",
    "version=%20",
    `version=${"1".repeat(256)}`,
    "version=1&version=2",
    "updated_since=yesterday",
    "updated_since=2026-13-01T00:00:00Z",
    "updated_since=0",
    "updated_since=2026-01-01",
    "updated_since=2026-01-01T00:00:00Z&include_deleted=false",
    "include_deleted=maybe",
  ])("P08: refuses %s without asking Postgres", async (query) => {
    const { headers } = await newRegistry();
    await read("/v0.1/servers", headers);
    await resetStats();
    await expectProblem(await request(`/v0.1/servers?${query}`, { headers }), 400);
    expect(await registryRequests()).toEqual([]);
  });

  it.each(["%", "_", "\\", "%_'", "';--", "(a+)+$", "w%her", "w_ather"])(
    "P08: takes %j for the text that it is",
    async (text) => {
      const { headers } = await weather();
      expect(namesIn(await read<ListAnswer>(`/v0.1/servers?search=${encodeURIComponent(text)}`, headers))).toEqual([]);
    },
  );

  it("P08: a cursor of one tenant shows another one only its own servers", async () => {
    const { headers } = await weather();
    const cursor = (await read<ListAnswer>("/v0.1/servers?limit=1", headers)).metadata.nextCursor;
    const other = await newRegistry();
    expect(namesIn(await read<ListAnswer>(`/v0.1/servers?cursor=${cursor}`, other.headers))).toEqual([]);
  });
});

describe("one server", () => {
  it("R19: has its versions, newest first", async () => {
    const { name, headers } = await weather();
    const list = await read<ListAnswer>(at(name), headers);
    expect(serverList.parse(list)).toEqual(list);
    expect(list.servers.map(({ server }) => server.version)).toEqual(["2.0.0", "1.1.0"]);
    const all = await read<ListAnswer>(at(name, "?include_deleted=true"), headers);
    expect(all.metadata).toEqual({ count: 3 });
  });

  it.each([
    ["latest", "2.0.0"],
    ["2.0.0", "2.0.0"],
    ["1.1.0", "1.1.0"],
  ])("has %s", async (asked, version) => {
    const { name, headers } = await weather();
    const answer = await read<ServerAnswer>(at(name, `/${asked}`), headers);
    expect(serverResponse.parse(answer)).toEqual(answer);
    expect(answer.server).toMatchObject({ name, version });
  });

  it("takes a version with characters that are encoded", async () => {
    const { headers, tenantId } = await newRegistry();
    await addServer({ tenantId, name: "com.example/odd", versions: [{ version: "1.0.0+build.5" }] });
    const answer = await read<ServerAnswer>(at("com.example/odd", `/${encodeURIComponent("1.0.0+build.5")}`), headers);
    expect(answer.server.version).toBe("1.0.0+build.5");
  });

  it("shows a deleted version only to who asks for deleted ones", async () => {
    const { name, headers } = await weather();
    await expectProblem(await request(at(name, "/1.0.0"), { headers }), 404);
    const answer = await read<ServerAnswer>(at(name, "/1.0.0?include_deleted=true"), headers);
    expect(answer._meta[OFFICIAL].status).toBe("deleted");
  });

  it.each([
    "/v0.1/servers/com.example/weather/versions",
    "/v0.1/servers/com.example%252Fweather/versions",
    at("nobody/nothing"),
    at("nothing"),
    at("com.example/weather", "/9.9.9"),
    at("x".repeat(300) + "/y"),
    at("com.example/weather", `/${"9".repeat(300)}`),
  ])("O02: %s is not found", async (path) => {
    const { headers } = await weather();
    await expectProblem(await request(path, { headers }), 404);
  });

  it("P08: a NUL character is refused, wherever it is", async () => {
    const { headers } = await weather();
    for (const path of [
      "/v0.1/servers/com.example%2Fweather%00/versions",
      at("com.example/weather", "/1%00"),
      "/v0.1/servers?x=%00",
    ])
      await expectProblem(await request(path, { headers }), 400);
  });

  it("is found with a slash at the end by going on to where it is", async () => {
    const { name, headers } = await weather();
    const answer = await request(`${at(name)}/?include_deleted=true`, { headers });
    expect(answer.status).toBe(308);
    expect(answer.headers.get("location")).toBe(at(name, "?include_deleted=true"));
  });

  it("behind this gateway points here, without packages, headers or its own address", async () => {
    const { headers, tenantId } = await newRegistry();
    const secret = { ...remote, headers: [{ name: "X-Token", isRequired: true, isSecret: true }] };
    const definition = { remotes: [secret], packages: [npm] };
    await addServer({ tenantId, name: "com.example/inside", gatewaySlug: "inside", versions: [{ definition }] });
    const answer = await read<ServerAnswer>(at("com.example/inside", "/latest"), headers);
    expect(serverResponse.parse(answer)).toEqual(answer);
    expect(answer.server.remotes).toEqual([{ type: "streamable-http", url: "http://localhost:8787/mcp/inside" }]);
    expect(answer.server).not.toHaveProperty("packages");
    expect(JSON.stringify(answer)).not.toContain("mcp.example.com");
  });
});

describe("who reads", () => {
  it("O02: without a credential sees what is public, with one their tenant's servers and no others", async () => {
    const word = newWord();
    const [one, two] = await Promise.all([newRegistry(), newRegistry()]);
    await addServer({ tenantId: one.tenantId, name: `com.example/${word}-open`, isPublic: true });
    await addServer({ tenantId: one.tenantId, name: `com.example/${word}-own` });
    await addServer({ tenantId: two.tenantId, name: `com.example/${word}-theirs` });
    const seen = async (headers = {}) => namesIn(await read<ListAnswer>(`/v0.1/servers?search=${word}`, headers));
    expect(await seen()).toEqual([`com.example/${word}-open`]);
    expect(await seen(one.headers)).toEqual([`com.example/${word}-open`, `com.example/${word}-own`]);
    expect(await seen(two.headers)).toEqual([`com.example/${word}-theirs`]);
    for (const rest of ["", "/latest", "/1.0.0"]) {
      expect((await request(at(`com.example/${word}-own`, rest))).status).toBe(404);
      expect((await request(at(`com.example/${word}-own`, rest), { headers: two.headers })).status).toBe(404);
    }
  });

  it("sees one server of a name that several tenants show to everybody: the published one before mirrored ones", async () => {
    const word = newWord();
    const name = `com.example/${word}`;
    const tenants = await Promise.all([newRegistry(), newRegistry(), newRegistry()]);
    for (const [index, { tenantId }] of tenants.entries()) {
      const definition = { description: `Of tenant ${index}` };
      await addServer({ tenantId, name, isPublic: true, isMirrored: index !== 2, versions: [{ definition }] });
    }
    const { servers } = await read<ListAnswer>(`/v0.1/servers?search=${word}`);
    expect(servers.map(({ server }) => server.description)).toEqual(["Of tenant 2"]);
    expect((await read<ServerAnswer>(at(name, "/latest"))).server.description).toBe("Of tenant 2");
    expect((await read<ListAnswer>(at(name))).metadata.count).toBe(1);
  });

  it("is refused with a credential that is no good or lacks the scope, and never shown the public view instead", async () => {
    const answer = await request("/v0.1/servers", { headers: { "x-api-key": "mrg_live_bad" } });
    expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    await expectProblem(answer, 401);
    const { key } = await newKey({ scopes: ["mcp:tools"] });
    await expectProblem(await request("/v0.1/servers", { headers: { "x-api-key": key } }), 403);
  });

  it("may be a page in a browser", async () => {
    const preflight = await request("/v0.1/servers", {
      method: "OPTIONS",
      headers: { origin: "https://app.example.com" },
    });
    expect(preflight.status).toBe(204);
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, OPTIONS",
      "access-control-allow-headers": "Authorization, Content-Type",
      "access-control-max-age": "86400",
    });
    for (const path of ["/v0.1/servers?limit=1", at("nobody/nothing")])
      expect((await request(path)).headers.get("access-control-allow-origin")).toBe("*");
  });

  it("P08: is held to a number of requests from one address", async () => {
    const headers = { "cf-connecting-ip": "192.0.2.77" };
    const statuses = new Set<number>();
    // The clock stands still: no request comes back while the others are sent, however long that takes.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    try {
      for (let n = 0; n < 700 && !statuses.has(429); n++)
        statuses.add((await request("/v0.1/servers?limit=1", { headers })).status);
      expect([...statuses]).toEqual([200, 429]);
      expect((await request("/v0.1/servers?limit=1")).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is told which method there is", async () => {
    const answer = await request("/v0.1/servers", { method: "DELETE" });
    expect(answer.headers.get("allow")).toContain("GET");
    await expectProblem(answer, 405);
  });
});

describe("an answer", () => {
  it("is a statement, and none while a kept one is fresh", async () => {
    const { headers, tenantId } = await newRegistry();
    const word = newWord();
    const name = `com.example/${word}`;
    await addServer({ tenantId, name, isPublic: true });
    for (const sent of [{}, headers]) {
      for (const path of [`/v0.1/servers?search=${word}`, at(name), at(name, "/latest")]) {
        await resetStats();
        await read(path, sent);
        expect(await registryRequests()).toHaveLength(1);
        await read(path, sent);
        expect(await registryRequests()).toHaveLength(1);
      }
    }
  });

  it("says how long it may be kept and by whom, and that it is the same as before", async () => {
    const { name, headers } = await weather();
    for (const [path, sent, keeper] of [
      ["/v0.1/servers?limit=1", {}, "public"],
      [at(name, "/latest"), headers, "private"],
    ] as const) {
      const answer = await request(path, { headers: sent });
      expect(answer.headers.get("cache-control")).toBe(
        `${keeper}, max-age=60, stale-while-revalidate=300, stale-if-error=86400`,
      );
      expect(answer.headers.get("vary")).toBe("Authorization, X-API-Key");
      const etag = answer.headers.get("etag") ?? "";
      expect(etag).toMatch(/^"[\w-]{43}"$/);
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const again = await request(path, { headers: { ...sent, "if-none-match": known } });
        expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag]);
      }
      expect((await request(path, { headers: { ...sent, "if-none-match": '"other"' } })).status).toBe(200);
    }
  });

  it("of yesterday stands in while Postgres does not answer, for everybody and for a tenant, and says so", async () => {
    const { name, headers } = await weather();
    const path = at(name, "/latest");
    const word = newWord();
    const list = `/v0.1/servers?search=${word}`;
    await read(path, headers);
    await read(list);
    const hours = 3_600_000;
    const atHour = (hour: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + hour * hours });
    try {
      atHour(1);
      await read("/v0.1/servers", headers);
      await withFault({ neon: { mode: "down" } }, async () => {
        for (const answer of [await request(path, { headers }), await request(list)]) {
          expect(answer.status).toBe(200);
          expect(Number(answer.headers.get("age"))).toBeGreaterThanOrEqual(3600);
          expect(answer.headers.get("warning")).toBe('110 - "Response is Stale"');
        }
        await expectProblem(await request(at("com.example/never-asked")), 503);
      });
    } finally {
      vi.useRealTimers();
    }
  });
});
