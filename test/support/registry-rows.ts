// Servers of the demo user's registry as rows, over TCP: for stories against `npm start`, in which no code of the Worker runs in the test.
import pg from "pg";
import { CURRENT_SCHEMA, PUBLISHER_META } from "../../src/registry/definition/definition.ts";
import { skeleton } from "../../src/registry/name.ts";

export const DEMO_TENANT = "personal-demo-user";

export interface ServerRow {
  name: string;
  /** Shown to everybody; else to the demo user's organization. */
  isPublic?: boolean;
  /** Oldest first; the last one is the latest. */
  versions: readonly {
    version: string;
    status?: string;
    statusMessage?: string;
    definition?: Record<string, unknown>;
  }[];
}

/** Runs `work` with a connection as the owner of the database. */
export async function onDatabase<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Puts servers into the demo user's registry, past all checks. */
export const addServerRows = (databaseUrl: string, servers: readonly ServerRow[]): Promise<void> =>
  onDatabase(databaseUrl, async (client) => {
    for (const { name, isPublic = true, versions } of servers) {
      const { rows } = await client.query<{ id: string }>(
        "insert into registry_server (tenant_id, name, skeleton, is_public) values ($1, $2, $3, $4) on conflict do nothing returning id",
        [DEMO_TENANT, name, skeleton(name), isPublic],
      );
      const [made] = rows;
      if (made === undefined) continue;
      for (const [index, { version, status = "active", statusMessage = null, definition }] of versions.entries())
        await client.query(
          `insert into registry_version (server_id, tenant_id, name, version, is_public, is_latest, definition, status, status_message,
             status_changed_at, published_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now(), now())`,
          [
            made.id,
            DEMO_TENANT,
            name,
            version,
            isPublic,
            index === versions.length - 1,
            { $schema: CURRENT_SCHEMA, name, description: "A server", version, ...definition },
            status,
            statusMessage,
          ],
        );
    }
  });

/** A server with everything that a page can show. Adding it again changes nothing. */
export const addAccessibleServer = (databaseUrl: string): Promise<void> =>
  addServerRows(databaseUrl, [
    {
      name: "com.example/accessible",
      versions: [
        { version: "0.9.0", status: "deprecated", statusMessage: "Use 1.0.0" },
        {
          version: "1.0.0",
          definition: {
            title: "Weather for everybody",
            websiteUrl: "https://weather.example.com/",
            repository: { url: "https://github.com/example/weather", source: "github" },
            remotes: [
              {
                type: "streamable-http",
                url: "https://mcp.example.org/mcp",
                headers: [{ name: "X-Token", isRequired: true, isSecret: true, description: "Yours" }],
              },
            ],
            packages: [{ registryType: "npm", identifier: "weather", version: "1.0.0", transport: { type: "stdio" } }],
            _meta: {
              [PUBLISHER_META]: {
                readme:
                  "#### Weather\n\n# For everybody\n\nSee the [documentation](https://docs.example.com/).\n\n- **one**\n- `two`\n\n> quoted\n\n---\n\n```\ncode\n```",
              },
            },
          },
        },
      ],
    },
  ]);
