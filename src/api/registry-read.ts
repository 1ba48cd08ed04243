import type { Context, Hono } from "hono";
import { listAnswerOf, answerOf } from "../registry/answer.ts";
import { MAX_NAME_LENGTH } from "../registry/name.ts";
import { listQuestion, versionQuestion, versionsQuestion } from "../registry/servers.ts";
import { MAX_VERSION_LENGTH } from "../registry/version.ts";
import type { HttpEnv } from "../platform/http.ts";
import type { ApiDeps } from "./deps.ts";
import { answerFrom, notThere, type Asked } from "./registry-answers.ts";
import { readFlags, readListQuery } from "./registry-query.ts";
import { readers } from "./registry-readers.ts";

const ROOTS = ["/v0.1", "/v0", "/r/:secret/v0.1", "/r/:secret/v0"];
const LIST = "/servers";
const VERSIONS = "/servers/:serverName/versions";
const VERSION = "/servers/:serverName/versions/:version";

/** Every address that is read, in each of its places. */
export const READ_PATHS: readonly string[] = ROOTS.flatMap((root) =>
  [LIST, VERSIONS, VERSION].map((path) => root + path),
);

/** The read half of the MCP Registry API: the same three answers everywhere, each one statement, for whoever the reader is. */
export function readRoutes(app: Hono<HttpEnv>, deps: ApiDeps): void {
  const origin = deps.config.BASE_URL;
  const readerOf = readers(deps);
  const serve = (path: string, asked: (c: Context<HttpEnv>) => Asked) => {
    for (const root of ROOTS) {
      app.get(root + path, async (c) => answerFrom(deps, c.req.raw, await readerOf(c), asked(c)));
    }
  };

  serve(LIST, (c) => {
    const input = readListQuery(new URL(c.req.url).searchParams);
    return {
      key: `list ${JSON.stringify(input)}`,
      question: (scope) => {
        const { query, read } = listQuestion(scope, input);
        return {
          query,
          read: (rows) => {
            const { entries, nextCursor } = read(rows);
            return listAnswerOf(entries, nextCursor, origin);
          },
        };
      },
    };
  });

  serve(VERSIONS, (c) => {
    const name = nameOf(c);
    const flags = readFlags(new URL(c.req.url).searchParams);
    return {
      key: `versions ${JSON.stringify([name, flags])}`,
      question: (scope) => {
        const { query, read } = versionsQuestion(scope, name, flags);
        return {
          query,
          read: (rows) => (rows.length === 0 ? null : listAnswerOf(read(rows), null, origin)),
        };
      },
    };
  });

  serve(VERSION, (c) => {
    const name = nameOf(c);
    const version = c.req.param("version") ?? "";
    if (version.length > MAX_VERSION_LENGTH) throw notThere();
    const flags = readFlags(new URL(c.req.url).searchParams);
    return {
      key: `version ${JSON.stringify([name, version, flags])}`,
      question: (scope) => {
        const { query, read } = versionQuestion(scope, { name, version, ...flags });
        return {
          query,
          read: (rows) => {
            const entry = read(rows);
            return entry && answerOf(entry, origin);
          },
        };
      },
    };
  });
}

/** Whatever cannot be a name is no server's, and nobody needs to be asked. */
function nameOf(c: Context<HttpEnv>): string {
  const name = c.req.param("serverName") ?? "";
  if (name.length > MAX_NAME_LENGTH || !name.includes("/")) throw notThere();
  return name;
}
