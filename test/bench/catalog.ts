// A registry of any size, made in SQL: names and descriptions of words of which few are common and many are rare, as in real ones.
import pg from "pg";

export const TENANT = "bench-registry";
const VERSIONS = 3;
const AT_ONCE = 20_000;

const VOCABULARY = 3_000;
/** Words of two to four syllables that can be spoken, with about as many different groups of three letters as a language has. */
const WORDS = `(select array_agg(word order by i) from (
  select i, string_agg(substr('bcdfghjklmnprstvwz', 1 + get_byte(h, 2 * k) % 18, 1) || substr('aeiou', 1 + get_byte(h, 2 * k + 1) % 5, 1),
    '' order by k) || substr('nrslt', 1 + get_byte(h, 14) % 5, 1) as word
  from (select i, decode(md5(i::text), 'hex') as h from generate_series(1, ${VOCABULARY}) i) hashed,
    generate_series(0, 1 + get_byte(h, 15) % 3) k
  group by i, h) made)`;
/** Few words are common and many are rare: the first stands in every third description. */
const pick = (words: string) => `${words}[1 + floor(${VOCABULARY} * power(random(), 3))::int]`;

export interface Catalog {
  /** Lets the registry grow to so many servers of three versions each. */
  growTo: (servers: number) => Promise<void>;
  /** Names of servers that were there from the first. */
  names: (count: number) => Promise<string[]>;
  /** What stands at a place in the list of latest versions. */
  placeAt: (position: number) => Promise<{ name: string; version: string }>;
  words: () => Promise<string[]>;
  stop: () => Promise<void>;
}

export async function startCatalog(databaseUrl: string): Promise<Catalog> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const rows = async <Row extends object>(text: string, values: unknown[] = []) =>
    (await client.query<Row>(text, values)).rows;
  await client.query("select setseed(0.42)");
  await client.query(
    "insert into organization (id, name, slug, created_at) values ($1, 'Bench', $1, now() at time zone 'utc') on conflict do nothing",
    [TENANT],
  );
  await client.query(
    "insert into registry_namespace (namespace, tenant_id, method, verified_at) values ('com.example', $1, 'administrator', now())",
    [TENANT],
  );
  let size = 0;

  async function grow(count: number): Promise<void> {
    await client.query(
      `with words as materialized (select ${WORDS} as w), made as (
        insert into registry_server (tenant_id, name, skeleton)
        select $1, format('com.example.u%s/%s-%s-%s', i % 9973, ${pick("w")}, ${pick("w")}, i), 'bench' || i
        from words, generate_series($2::int, $3::int) i returning id, name
      )
      insert into registry_version (server_id, tenant_id, name, version, is_latest, definition, status_changed_at, published_at, updated_at)
      select id, $1, name, v || '.0.0', v = ${VERSIONS}, jsonb_build_object('name', name, 'version', v || '.0.0',
          'title', initcap(split_part(split_part(name, '/', 2), '-', 1)), 'description', description,
          'remotes', jsonb_build_array(jsonb_build_object('type', 'streamable-http', 'url', 'https://mcp.example.com/' || id))),
        at, at, at
      from (select id, name, now() - random() * interval '300 days' as at,
          concat_ws(' ', ${Array.from({ length: 7 }, () => pick("w")).join(", ")}) as description from made, words) s,
        generate_series(1, ${VERSIONS}) v`,
      [TENANT, size + 1, size + count],
    );
    size += count;
  }

  return {
    growTo: async (servers) => {
      while (size < servers) await grow(Math.min(AT_ONCE, servers - size));
      await client.query("vacuum analyze registry_version");
      await client.query("vacuum analyze registry_server");
    },
    names: async (count) =>
      (
        await rows<{ name: string }>("select name from registry_server where tenant_id = $1 order by id limit $2", [
          TENANT,
          count,
        ])
      ).map(({ name }) => name),
    placeAt: async (position) => {
      const [row] = await rows<{ name: string; version: string }>(
        "select name, version from registry_version where tenant_id = $1 and is_latest order by name, version offset $2 limit 1",
        [TENANT, position],
      );
      if (!row) throw new Error(`there is no place ${position}`);
      return row;
    },
    words: async () => (await rows<{ w: string[] }>(`select ${WORDS} as w`))[0]?.w ?? [],
    stop: () => client.end(),
  };
}
