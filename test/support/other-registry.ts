// A registry that others run, in memory: it serves the list of the MCP Registry API (v0.1) as the official one does, and can fail in
// every way that its readers have to live with.
import { OFFICIAL_META } from "../../src/registry/reading/answer.ts";
import type { Outbound } from "../../src/platform/outbound/outbound.ts";

export interface OtherVersion {
  name: string;
  version: string;
  status?: string;
  statusMessage?: string;
  /** Undefined: the registry does not say. */
  isLatest?: boolean;
  updatedAt?: number;
  /** In place of the usual definition, or beside its fields. */
  definition?: Record<string, unknown>;
}

type Fault = (request: Request) => Response | Promise<Response>;

/** Its clock is years behind, so that nothing in a test depends on ours. */
export const OTHER_NOW = Date.parse("2026-01-01T00:00:00Z");

export class OtherRegistry {
  /** Requests so far, as query parameters. */
  asked: Record<string, string>[] = [];
  now = OTHER_NOW;
  /** Entries of a page, whatever is asked for. */
  pageSize = 100;
  /** What answers instead, by the number of the request from 1. */
  faults = new Map<number, Fault>();
  readonly #versions = new Map<string, OtherVersion & { updatedAt: number }>();

  put(...versions: OtherVersion[]): this {
    for (const version of versions)
      this.#versions.set(`${version.name} ${version.version}`, { updatedAt: this.now, ...version });
    return this;
  }

  /** Changes a version, as of its own time. */
  change(name: string, version: string, change: Partial<OtherVersion>): this {
    const known = this.#versions.get(`${name} ${version}`);
    if (!known) throw new Error(`there is no ${name} ${version}`);
    return this.put({ ...known, updatedAt: this.now, ...change });
  }

  /** The next request, and as many as are said, are answered by this. */
  failNext(fault: Fault, times = 1): this {
    for (let i = 1; i <= times; i++) this.faults.set(this.asked.length + i, fault);
    return this;
  }

  readonly answer = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const query = Object.fromEntries(url.searchParams);
    this.asked.push(query);
    const fault = this.faults.get(this.asked.length);
    if (fault) return fault(request);
    if (!url.pathname.endsWith("/v0.1/servers")) return new Response("no", { status: 404 });
    const since = query["updated_since"] === undefined ? undefined : Date.parse(query["updated_since"]);
    const after = query["cursor"] ?? "";
    const found = [...this.#versions.entries()]
      .filter(([key, { updatedAt, status }]) => {
        const isThere = status !== "deleted" || query["include_deleted"] === "true";
        return key > after && isThere && (since === undefined || updatedAt > since);
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    const page = found.slice(0, Math.min(this.pageSize, Number(query["limit"] ?? 30)));
    const nextCursor = page.length < found.length ? page.at(-1)?.[0] : undefined;
    const metadata = { count: page.length, ...(nextCursor !== undefined && { nextCursor }) };
    return Response.json(
      { servers: page.map(([, version]) => entryOf(version)), metadata },
      { headers: { date: new Date(this.now).toUTCString() } },
    );
  };

  /** As the Worker's requests to public hosts. */
  readonly outbound: Outbound = (target, init) => this.answer(new Request(target, init));
}

/** An entry as the official registry has it. */
export function entryOf({ name, version, definition, updatedAt = OTHER_NOW, ...meta }: OtherVersion): unknown {
  const at = new Date(updatedAt).toISOString();
  return {
    server: {
      $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
      name,
      description: `What ${name} does`,
      version,
      remotes: [{ type: "streamable-http", url: `https://mcp.example.com/${name}` }],
      ...definition,
    },
    _meta: {
      [OFFICIAL_META]: { status: "active", statusChangedAt: at, publishedAt: at, updatedAt: at, ...meta },
    },
  };
}

/** An answer that never comes; the request can be given up. */
export const silence: Fault = (request) =>
  new Promise((_, reject) => {
    request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
  });

export const status =
  (code: number): Fault =>
  () =>
    new Response("upstream says <b>no</b>", { status: code });
