import * as z from "zod";
import { actorOf } from "../access/principal.ts";
import { limitsOf, resetTenantLimits, setTenantLimits, tenantLimits, tenantLimitSettings } from "../limits/tenants.ts";
import { TIERS } from "../limits/plan.ts";
import { AppError } from "../platform/errors.ts";
import { route } from "./deps.ts";

const limit = {
  perMinute: z.number().describe("Calls per minute, on average."),
  burst: z.number().describe("Burst: calls that may come at the same time."),
  from: z
    .enum(["default", "operator", "tenant", "key"])
    .describe(
      "Where the limit comes from. `default`: built in. `operator`: the setting LIMITS. `tenant`: the organization's limits. `key`: the API key.",
    ),
};

/**
 * The limits of the caller. They need `mcp:tools`, not a scope to manage keys: a caller of tools runs into these limits
 * and may know them.
 */
export const getLimits = route({
  method: "get",
  path: "/api/v1/limits",
  id: "getLimits",
  tag: "Limits",
  summary: "Get the limits of your credential, and where each comes from",
  who: { scopes: ["mcp:tools"] },
  out: z.object({
    tenantId: z.string().describe("The organization of the credential."),
    limits: z
      .array(z.object({ tier: z.enum(TIERS).describe("What the limit counts calls for."), ...limit }))
      .describe("The limits. All of them apply to each call."),
    tools: z
      .array(z.object({ tool: z.string().describe("The name of the tool, as `/mcp` lists it."), ...limit }))
      .describe("Tools with a limit of their own."),
  }),
  handle: async ({ deps, caller: { tenantId, credential } }) => {
    const keyId = credential.kind === "api_key" ? credential.id : null;
    const held = { db: deps.databases.write, operator: deps.config.LIMITS };
    const { tiers, tools } = await limitsOf(held, { tenantId, keyId });
    return { tenantId, limits: tiers, tools };
  },
});

const who = "administrator";
const path = "/api/v1/tenants/{tenantId}/limits";
const tenantId = z
  .string()
  .regex(/^[\w-]{1,200}$/, "is not a valid organization id")
  .describe("The id of the organization.");
const params = z.object({ tenantId });
const out = z
  .object({ tenantId, limits: tenantLimitSettings.describe("The limits. Absent ones have the default.") })
  .meta({ id: "TenantLimits", description: "The limits of an organization." });

export const getTenantLimits = route({
  method: "get",
  path,
  id: "getTenantLimits",
  tag: "Limits",
  summary: "Get the limits that are set for an organization",
  who,
  in: { params },
  out,
  refusals: ["not_found"],
  handle: async ({ deps, input }) => {
    const { tenantId: of } = input.params;
    const limits = await tenantLimits({ db: deps.databases.write }, of);
    if (!limits) throw noTenant();
    return { tenantId: of, limits };
  },
});

/** In force for the next call once this is answered. */
export const putTenantLimits = route({
  method: "put",
  path,
  id: "putTenantLimits",
  tag: "Limits",
  summary: "Set the limits of an organization, replacing all previous ones; absent limits have the default",
  who,
  in: { params, body: tenantLimitSettings },
  out,
  refusals: ["not_found", "revocation_pending"],
  handle: async ({ deps, caller, input: { params: at, body: limits }, from }) => {
    const change = { ...at, limits, actor: actorOf(caller, from) };
    if (!(await setTenantLimits({ db: deps.databases.write }, change, deps.now()))) throw noTenant();
    await deps.flushOutbox();
    return { ...at, limits };
  },
});

/** In force for the next call once this is answered. */
export const deleteTenantLimits = route({
  method: "delete",
  path,
  id: "deleteTenantLimits",
  tag: "Limits",
  summary: "Reset the limits of an organization to the default",
  who,
  in: { params },
  out,
  refusals: ["not_found", "revocation_pending"],
  handle: async ({ deps, caller, input: { params: at }, from }) => {
    const change = { ...at, actor: actorOf(caller, from) };
    if (!(await resetTenantLimits({ db: deps.databases.write }, change, deps.now()))) throw noTenant();
    await deps.flushOutbox();
    return { ...at, limits: {} };
  },
});

const noTenant = () => new AppError("not_found", "There is no organization with this id.");
