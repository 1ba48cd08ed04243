import { sql } from "drizzle-orm";
import * as z from "zod";
import { SCHEMA_VERSION } from "../platform/version.ts";
import { answerWith } from "../http/route.ts";
import { route } from "./deps.ts";

/** Liveness: the isolate runs and its configuration is valid. No I/O. */
export const healthz = route({
  method: "get",
  path: "/healthz",
  id: "getHealth",
  tag: "Health",
  summary: "Check liveness, without I/O",
  who: "anyone",
  out: z.object({ status: z.literal("ok").describe("The gateway is running.") }),
  handle: () => ({ status: "ok" as const }),
});

const state = (what: string) => z.enum(["ok", "failed"]).describe(what);
const readiness = z
  .object({
    status: state("Whether all checks are ok."),
    checks: z
      .object({
        postgres: state("Whether Postgres answers."),
        redis: state("Whether Redis answers."),
        schema: state("Whether the database schema is the version that this release needs."),
      })
      .describe("The individual checks."),
  })
  .meta({ id: "Readiness", description: "Whether the gateway can serve requests." });

/** Readiness: Postgres and Redis answer, and the database schema is the version that this code needs. Otherwise 503. */
export const readyz = route({
  method: "get",
  path: "/readyz",
  id: "getReadiness",
  tag: "Health",
  summary: "Check readiness: Postgres, Redis and the schema version",
  who: "anyone",
  out: readiness,
  others: { 503: { schema: readiness, description: "A check has failed." } },
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
    return ready ? { status: "ok" as const, checks } : answerWith(503, { status: "failed", checks });
  },
});

/** The version of the running release, for bug reports and for the smoke test after a deployment. */
export const version = route({
  method: "get",
  path: "/version",
  id: "getVersion",
  tag: "Health",
  summary: "Get the version of the running release",
  who: "anyone",
  out: z.object({
    name: z.string().describe("The name of this product."),
    version: z.string().describe("The version of the release."),
    schema: z.number().describe("The version of the database schema."),
  }),
  handle: ({ deps }) => ({ name: "mcp-registry-gateway", version: deps.version, schema: SCHEMA_VERSION }),
});
