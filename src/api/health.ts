import { sql } from "drizzle-orm";
import * as z from "zod";
import { SCHEMA_VERSION } from "../platform/version.ts";
import { route } from "./deps.ts";

/** Liveness: the isolate runs and its configuration is valid. No I/O. */
export const healthz = route({
  method: "get",
  path: "/healthz",
  summary: "Liveness, without I/O",
  who: "anyone",
  out: z.object({ status: z.literal("ok") }),
  handle: () => ({ status: "ok" as const }),
});

const state = z.enum(["ok", "failed"]);

/** Readiness: Postgres and Redis answer and the schema is the one that this code was written for; 503 otherwise. */
export const readyz = route({
  method: "get",
  path: "/readyz",
  summary: "Readiness: Postgres, Redis and schema version",
  who: "anyone",
  out: z.object({ status: state, checks: z.object({ postgres: state, redis: state, schema: state }) }),
  status: ({ status }) => (status === "ok" ? 200 : 503),
  handle: async ({ deps }) => {
    const [migrations, pong] = await Promise.allSettled([
      deps.databases.write.execute<{ applied: string }>(
        sql`select count(*)::text as applied from drizzle.__drizzle_migrations`,
      ),
      deps.redis.ping(),
    ]);
    const applied = migrations.status === "fulfilled" ? Number(migrations.value.rows[0]?.applied) : undefined;
    const checks = {
      postgres: applied === undefined ? ("failed" as const) : ("ok" as const),
      redis: pong.status === "fulfilled" ? ("ok" as const) : ("failed" as const),
      schema: applied === SCHEMA_VERSION ? ("ok" as const) : ("failed" as const),
    };
    const ready = Object.values(checks).every((check) => check === "ok");
    return { status: ready ? ("ok" as const) : ("failed" as const), checks };
  },
});

/** Which release answers; for bug reports and for the deployment's smoke test. */
export const version = route({
  method: "get",
  path: "/version",
  summary: "Version of the running release",
  who: "anyone",
  out: z.object({ name: z.string(), version: z.string(), schema: z.number() }),
  handle: ({ deps }) => ({ name: "mcp-registry-gateway", version: deps.version, schema: SCHEMA_VERSION }),
});
