import * as z from "zod";
import { actorOf } from "../access/principal.ts";
import { limitsOf, resetTenantLimits, setTenantLimits, tenantLimits, tenantLimitSettings } from "../limits/tenants.ts";
import { TIERS } from "../limits/plan.ts";
import { AppError } from "../platform/errors.ts";
import { route } from "./deps.ts";

const limit = {
  perMinute: z.number().describe("Calls in a minute, in the long run."),
  burst: z.number().describe("Calls at once."),
  from: z
    .enum(["default", "operator", "tenant", "key"])
    .describe("Built in, the setting LIMITS, what the organization was given, or the API key itself."),
};

/** What the caller is held to. Whoever calls tools meets these limits, and may know them: `mcp:tools`, not a scope to manage keys. */
export const getLimits = route({
  method: "get",
  path: "/api/v1/limits",
  id: "getLimits",
  tag: "Limits",
  summary: "The limits that your credential is held to, and where each comes from",
  who: { scopes: ["mcp:tools"] },
  out: z.object({
    tenantId: z.string().describe("The organization that the credential acts in."),
    limits: z
      .array(z.object({ tier: z.enum(TIERS).describe("What the limit is counted by."), ...limit }))
      .describe("All of them hold for each call."),
    tools: z
      .array(z.object({ tool: z.string().describe("The name of the tool as `/mcp` shows it."), ...limit }))
      .describe("Tools that have a limit of their own."),
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
  .regex(/^[\w-]{1,200}$/, "is not the id of an organization")
  .describe("The id of the organization.");
const params = z.object({ tenantId });
const out = z
  .object({ tenantId, limits: tenantLimitSettings.describe("What is absent is as by default.") })
  .meta({ id: "TenantLimits", description: "The limits of an organization." });

export const getTenantLimits = route({
  method: "get",
  path,
  id: "getTenantLimits",
  tag: "Limits",
  summary: "The limits that an organization has been given",
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
  summary: "Give an organization limits of its own, in place of those it had; what is absent is as by default",
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
  summary: "Take back the limits that an organization has been given",
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

const noTenant = () => new AppError("not_found", "There is no organization of this id.");
