import * as z from "zod";
import { actorOf, type Principal } from "../access/principal.ts";
import { unauthenticated } from "../audit/event.ts";
import { KEY_SCOPES } from "../auth/scopes.ts";
import { updateKey } from "../keys/changes.ts";
import { createKey } from "../keys/creation.ts";
import { getKey, listKeys, type KeyActor, type KeyInfo, type KeyRefusal } from "../keys/keys.ts";
import { reportLeak, revokeKey } from "../keys/revocation.ts";
import { OVERLAP_SECONDS, rotateKey } from "../keys/rotation.ts";
import { AppError } from "../platform/errors.ts";
import type { RequestOrigin } from "../platform/http.ts";
import { route, type ApiDeps } from "./deps.ts";
import { toError } from "./refusal.ts";

const reads = { scopes: ["keys:read"] } as const;
const writes = { scopes: ["keys:write"] } as const;
const params = z.object({ id: z.string().regex(/^[\w-]{1,100}$/, "is no id of a key") });

const scopes = z.array(z.enum(KEY_SCOPES));
const texts = z.array(z.string()).nullable();
const rate = z.object({ perMinute: z.number(), burst: z.number() });
const quota = z.object({ max: z.number(), period: z.enum(["month", "total"]) });

const fields = {
  name: z.string(),
  scopes,
  expiresAt: z.iso.datetime({ offset: true }).nullable(),
  servers: texts.describe("Slugs of the servers that the key may use; null: all of them."),
  tools: texts.describe("Names of tools as `/mcp` shows them; null: all of them."),
  addresses: texts.describe("IP addresses and CIDR blocks that calls may come from; null: from anywhere."),
  rate: rate.nullable(),
  quota: quota.nullable(),
};

const creation = z.strictObject({
  ...z.object(fields).partial().required({ name: true }).shape,
  tenantId: z.string().optional().describe("Where the key acts: the organization of your credential."),
  owner: z.enum(["user", "organization"]).optional(),
});

const key = z.object({
  id: z.string(),
  start: z.string(),
  tenantId: z.string(),
  owner: z.enum(["user", "organization"]),
  ...fields,
  quota: quota.extend({ used: z.number() }).nullable(),
  status: z.enum(["active", "disabled", "locked", "expired", "revoked"]),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
  disabledUntil: z.string().nullable(),
  revokedAt: z.string().nullable(),
  revokedReason: z.string().nullable(),
  rotatedTo: z.string().nullable(),
});
const withSecret = key.extend({ key: z.string() });

/** The caller's keys in the tenant of their credential, newest first; for owners and administrators of a team also the team's. */
export const listApiKeys = route({
  method: "get",
  path: "/api/v1/keys",
  summary: "Your API keys in the organization of your credential, newest first",
  who: reads,
  in: {
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(200).default(50),
      cursor: z
        .string()
        .regex(/^\d{1,15}\.[\w-]{1,100}$/, "use the nextCursor of the page before")
        .optional(),
    }),
  },
  out: z.object({ keys: z.array(key), nextCursor: z.string().nullable() }),
  handle: async ({ deps, caller, input: { query } }) => {
    const { limit, cursor } = query;
    const before = cursor === undefined ? undefined : positionOf(cursor);
    const keys = await listKeys(deps.databases.write, caller, { now: deps.now(), limit, before });
    const last = keys.length === limit ? keys.at(-1) : undefined;
    return { keys: keys.map(shown), nextCursor: last ? `${last.createdAt.getTime()}.${last.id}` : null };
  },
});

/** Makes a key that can do no more than the caller. */
export const createApiKey = route({
  method: "post",
  path: "/api/v1/keys",
  summary: "Make an API key; the key is in this answer only",
  who: writes,
  in: { body: creation },
  out: withSecret,
  status: () => 201,
  handle: async ({ deps, caller, input: { body }, from }) => {
    const input = { ...body, expiresAt: timeOf(body.expiresAt) };
    const made = settled(await createKey(commandDeps(deps), keyActor(caller, from), input, deps.now()));
    return { ...shown(made.info), key: made.key };
  },
});

export const getApiKey = route({
  method: "get",
  path: "/api/v1/keys/{id}",
  summary: "An API key, without the key itself",
  who: reads,
  in: { params },
  out: key,
  handle: async ({ deps, caller, input }) => {
    const found = await getKey(deps.databases.write, caller, input.params.id, deps.now());
    if (!found) throw noKey();
    return shown(found);
  },
});

/** Changes what is given; in force before the answer. */
export const changeApiKey = route({
  method: "patch",
  path: "/api/v1/keys/{id}",
  summary: "Change, disable or enable an API key",
  who: writes,
  in: { params, body: z.strictObject({ ...fields, enabled: z.boolean() }).partial() },
  out: key,
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const change = { ...body, expiresAt: timeOf(body.expiresAt) };
    return shown(settled(await updateKey(commandDeps(deps), keyActor(caller, from), at.id, change, deps.now())).info);
  },
});

export const rotateApiKey = route({
  method: "post",
  path: "/api/v1/keys/{id}/rotate",
  summary:
    "Make an API key that takes the place of another, shown in this answer only; both work until the overlap ends",
  who: writes,
  in: { params, body: z.strictObject({ overlapSeconds: z.number().default(OVERLAP_SECONDS.usual) }) },
  out: withSecret.extend({
    pending: z.boolean().describe("True: the old key may work for up to 30 seconds after the overlap."),
  }),
  status: () => 201,
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const made = settled(await rotateKey(commandDeps(deps), keyActor(caller, from), at.id, body, deps.now()));
    return { ...shown(made.info), key: made.key, pending: made.isPending === true };
  },
});

const revocation = {
  summary: "Revoke an API key for good",
  who: writes,
  in: { params },
  out: key,
  handle: async ({ deps, caller, input, from }: RevocationWork) =>
    shown(settled(await revokeKey(commandDeps(deps), keyActor(caller, from), input.params.id, deps.now())).info),
};
interface RevocationWork {
  deps: ApiDeps;
  caller: Principal;
  input: { params: { id: string } };
  from: RequestOrigin;
}

export const revokeApiKey = route({ method: "post", path: "/api/v1/keys/{id}/revoke", ...revocation });
/** The same as {@link revokeApiKey}: what a key did stays in the audit log under its id. */
export const deleteApiKey = route({ method: "delete", path: "/api/v1/keys/{id}", ...revocation });

/** For whoever finds a key where it should not be: to hold all of it is all that it takes. */
export const reportApiKeyLeak = route({
  method: "post",
  path: "/api/v1/keys/report-leak",
  summary: "Report a leaked API key: it is revoked for good, and its owner is told",
  who: "anyone",
  in: { body: z.strictObject({ key: z.string().max(200) }) },
  out: z.object({ revoked: z.literal(true) }),
  handle: async ({ deps, input: { body }, from }) => {
    const { databases, publish, sendMail, background, config } = deps;
    const shutOut = deps.strangers.refusalOf(from.ip, deps.now());
    if (shutOut) throw toError(shutOut);
    const leak = { db: databases.write, publish, sendMail, background, origin: config.BASE_URL };
    const reported = await reportLeak(leak, body.key, unauthenticated(from), deps.now());
    switch (reported.state) {
      case "done":
        return { revoked: true as const };
      case "unknown":
        deps.strangers.failed(from.ip, deps.now());
        throw new AppError("not_found", "There is no such key here: it was never made, or it has been deleted.");
      case "malformed":
        throw new AppError(
          "invalid_request",
          "body.key: this is no key of this gateway: its form or its checksum is wrong.",
        );
      default:
        return reported satisfies never;
    }
  },
});

const commandDeps = ({ databases, publish }: ApiDeps) => ({ db: databases.write, publish });

const keyActor = (caller: Principal, from: RequestOrigin): KeyActor => ({
  ...actorOf(caller, from),
  scopes: caller.scopes,
  restricted: caller.restricted,
});

const timeOf = (text: string | null | undefined) => (typeof text === "string" ? new Date(text) : text);

function positionOf(cursor: string): { at: Date; id: string } {
  const dot = cursor.indexOf(".");
  return { at: new Date(Number(cursor.slice(0, dot))), id: cursor.slice(dot + 1) };
}

const iso = (time: Date | null) => time?.toISOString() ?? null;

function shown(info: KeyInfo): z.infer<typeof key> {
  return {
    ...info,
    createdAt: info.createdAt.toISOString(),
    expiresAt: iso(info.expiresAt),
    lastUsedAt: iso(info.lastUsedAt),
    disabledUntil: iso(info.disabledUntil),
    revokedAt: iso(info.revokedAt),
  };
}

function settled<Done extends { state: "done" }>(outcome: Done | KeyRefusal): Done {
  switch (outcome.state) {
    case "done":
      return outcome;
    case "unknown":
      throw noKey();
    case "refused":
      throw new AppError(
        "invalid_request",
        Object.entries(outcome.problems)
          .map(([field, problem]) => `body.${field}: ${problem}`)
          .join(" "),
      );
    case "forbidden":
    case "conflict":
      throw new AppError(outcome.state, outcome.problem);
    default:
      return outcome satisfies never;
  }
}

const noKey = () => new AppError("not_found", "You have no key of this id in the organization of your credential.");
