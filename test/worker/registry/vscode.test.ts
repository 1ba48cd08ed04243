import { beforeAll, describe, expect, it } from "vitest";
import { PUBLISHER_META } from "../../../src/registry/definition/definition.ts";
import { request } from "../../support/gateway.ts";
import { addServer, addView, newRegistry } from "../../support/registry.ts";
import { serverList, serverResponse } from "../../support/registry-shapes.ts";

const OFFICIAL = "io.modelcontextprotocol.registry/official";

interface GalleryServer {
  name: string;
  displayName: string;
  version: string;
  status: string;
  isLatest: boolean;
  readme: string | undefined;
  icon: string | undefined;
  url: string | undefined;
}

/** Every request of the editor, in order; it sends no credential. */
const sent: string[] = [];

async function get(url: string): Promise<{ status: number; body: unknown }> {
  sent.push(url);
  const answer = await request(url, { headers: { "user-agent": "Code/1.120.0", accept: "application/json" } });
  return { status: answer.status, body: answer.ok ? await answer.json() : undefined };
}

/** The editor's manifest service: the first of two versions of the API that answers with success is the one it uses. */
async function probe(service: string): Promise<string | undefined> {
  for (const version of ["v0.1", "v0"]) {
    const { status } = await get(`${service}/${version}/servers?limit=1`);
    if (status >= 200 && status < 300) return version;
  }
  return undefined;
}

type Json = Record<string, unknown>;

/** As the editor reads an entry: what it destructures must be there, or it throws. */
function galleryServer(entry: Json): GalleryServer {
  const { server, _meta } = entry as { server: Json; _meta: Record<string, Json> };
  const official = _meta[OFFICIAL];
  const github = ((server["_meta"] as Json | undefined)?.[PUBLISHER_META] as Json | undefined)?.["github"] as
    | Json
    | undefined;
  const icons = server["icons"] as { src: string }[] | undefined;
  const [remote] = (server["remotes"] ?? []) as { url: string }[];
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  return {
    name: String(server["name"]),
    displayName: text(github?.["displayName"]) ?? text(server["title"]) ?? String(server["name"]),
    version: String(server["version"]),
    status: text(official?.["status"]) ?? "active",
    isLatest: official?.["isLatest"] === true,
    readme: text(github?.["readme"]),
    icon: text(github?.["preferredImage"]) ?? text(github?.["ownerAvatarUrl"]) ?? icons?.[0]?.src,
    url: remote?.url,
  };
}

/** One page; the cursor goes into the address as it is, and later pages leave the search out. */
async function page(endpoint: string, { search, cursor }: { search?: string; cursor?: string }) {
  let url = `${endpoint}/servers?limit=50&version=latest`;
  if (cursor !== undefined) url += `&cursor=${cursor}`;
  else if (search !== undefined) url += `&search=${encodeURIComponent(search)}`;
  const { status, body } = await get(url);
  expect(status).toBe(200);
  expect(serverList.parse(body)).toEqual(body);
  const { servers, metadata } = body as { servers: Json[]; metadata: { count: number; nextCursor?: string } };
  const [first] = servers as { server: Json }[];
  for (const field of ["name", "description", "version"]) if (first) expect(typeof first.server[field]).toBe("string");
  return { servers: servers.map(galleryServer), nextCursor: metadata.nextCursor };
}

async function query(endpoint: string, search?: string): Promise<{ servers: GalleryServer[]; pages: number }> {
  const servers: GalleryServer[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const next = await page(endpoint, {
      ...(search !== undefined && { search }),
      ...(cursor !== undefined && { cursor }),
    });
    servers.push(...next.servers);
    cursor = next.nextCursor;
    pages++;
  } while (cursor !== undefined && pages < 10);
  return { servers, pages };
}

/** Asked when a server is installed, and in registry-only mode before it runs: 4xx means that it may not. */
async function detail(endpoint: string, name: string): Promise<GalleryServer | undefined> {
  const { status, body } = await get(`${endpoint}/servers/${encodeURIComponent(name)}/versions/latest`);
  if (status !== 200) return undefined;
  expect(serverResponse.parse(body)).toEqual(body);
  return galleryServer(body as Json);
}

const readme = '# Weather\n\nForecasts & "alerts" — <b>not</b> HTML.';
let service = "";

beforeAll(async () => {
  const { tenantId } = await newRegistry();
  for (let n = 0; n < 120; n++)
    await addServer({
      tenantId,
      name: `com.example/tool-${String(n).padStart(3, "0")}`,
      versions: [{ version: "1.0.0" }, { version: "1.1.0" }],
    });
  await addServer({
    tenantId,
    name: "com.example/weather",
    gatewaySlug: "weather",
    versions: [
      {
        version: "2.0.0",
        definition: {
          title: "Weather",
          icons: [{ src: "https://example.com/weather.png", mimeType: "image/png", sizes: ["96x96"] }],
          _meta: { [PUBLISHER_META]: { github: { displayName: "Weather (Example)", readme } } },
        },
      },
    ],
  });
  await addServer({
    tenantId,
    name: "com.example/avatar",
    versions: [
      { definition: { _meta: { [PUBLISHER_META]: { github: { ownerAvatarUrl: "https://example.com/me.png" } } } } },
    ],
  });
  await addServer({
    tenantId,
    name: "com.example/old",
    versions: [{ status: "deprecated", statusMessage: "Use weather." }],
  });
  await addServer({ tenantId, name: "com.example/gone", versions: [{ status: "deleted" }] });
  service = (await addView(tenantId)).base;
});

describe("VS Code", () => {
  it("R19: finds the registry by its first question, without a credential", async () => {
    sent.length = 0;
    expect(await probe(service)).toBe("v0.1");
    expect(sent).toEqual([`${service}/v0.1/servers?limit=1`]);
  });

  it("R19: finds the public registry at the gateway itself", async () => {
    expect(await probe("")).toBe("v0.1");
  });

  it("falls back to the older name of the API, which answers the same", async () => {
    const [newer, older] = await Promise.all(["v0.1", "v0"].map((version) => query(`${service}/${version}`)));
    expect(older).toEqual(newer);
  });

  it("R19: lists the latest version of each server over several pages, each once", async () => {
    const { servers, pages } = await query(`${service}/v0.1`);
    expect(pages).toBe(3);
    expect(servers).toHaveLength(123);
    expect(new Set(servers.map(({ name }) => name)).size).toBe(123);
    expect(servers.every(({ isLatest }) => isLatest)).toBe(true);
    expect(servers.find(({ name }) => name === "com.example/tool-000")?.version).toBe("1.1.0");
    expect(servers.find(({ name }) => name === "com.example/old")?.status).toBe("deprecated");
    expect(servers.some(({ name }) => name === "com.example/gone")).toBe(false);
  });

  it("R19: goes on with its search on later pages, though it leaves it out there", async () => {
    sent.length = 0;
    const { servers, pages } = await query(`${service}/v0.1`, "TOOL-");
    expect(pages).toBe(3);
    expect(servers).toHaveLength(120);
    expect(servers.every(({ name }) => name.includes("tool-"))).toBe(true);
    expect(sent.slice(1).every((url) => !url.includes("search="))).toBe(true);
  });

  it("R19: shows readme, icon and name, and installs what goes through this gateway", async () => {
    expect(await detail(`${service}/v0.1`, "com.example/weather")).toEqual({
      name: "com.example/weather",
      displayName: "Weather (Example)",
      version: "2.0.0",
      status: "active",
      isLatest: true,
      readme,
      icon: "https://example.com/weather.png",
      url: "http://localhost:8787/mcp/weather",
    });
    expect((await detail(`${service}/v0.1`, "com.example/avatar"))?.icon).toBe("https://example.com/me.png");
  });

  it.each(["com.example/gone", "com.example/never", "../../etc/passwd", "com.example/tool-000/extra"])(
    "takes %s for not allowed",
    async (name) => {
      expect(await detail(`${service}/v0.1`, name)).toBeUndefined();
    },
  );
});
