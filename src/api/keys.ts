import * as z from "zod";
import { actorOf, type Principal } from "../access/principal.ts";
import { unauthenticated } from "../audit/event.ts";
import { toError } from "../http/refusal.ts";
import { updateKey } from "../keys/changes.ts";
import { createKey } from "../keys/creation.ts";
import { getKey, listKeys, type KeyActor, type KeyRefusal } from "../keys/keys.ts";
import { reportLeak, revokeKey } from "../keys/revocation.ts";
import { OVERLAP_SECONDS, rotateKey } from "../keys/rotation.ts";
import { AppError } from "../platform/errors.ts";
import type { RequestOrigin } from "../platform/http.ts";
import { createdKey, keyCreation, keyFields, keyParams as params, shown, shownKey } from "./key-shapes.ts";
import { nextCursor, paged } from "./shapes.ts";
import { route, type ApiDeps } from "./deps.ts";

const reads = { scopes: ["keys:read"] } as const;
const writes = { scopes: ["keys:write"] } as const;
/**
 * Lists the caller's keys in the tenant of their credential, newest first. Owners and administrators also see the
 * organization's keys.
 */
export const listApiKeys = route({
  method: "get",
  path: "/api/v1/keys",
  id: "listApiKeys",
  tag: "API keys",
  summary: "List your API keys in the organization of your credential, newest first",
  who: reads,
  in: {
    query: paged(z.string().regex(/^\d{1,15}\.[\w-]{1,100}$/, "must be the nextCursor of the previous page")),
  },
  out: z.object({ keys: z.array(shownKey).describe("Keys, newest first."), nextCursor }),
  handle: async ({ deps, caller, input: { query } }) => {
    const { limit, cursor } = query;
    const before = cursor === undefined ? undefined : positionOf(cursor);
    const keys = await listKeys(deps.databases.write, caller, { now: deps.now(), limit, before });
    const last = keys.length === limit ? keys.at(-1) : undefined;
    return { keys: keys.map(shown), nextCursor: last ? `${last.createdAt.getTime()}.${last.id}` : null };
  },
});

/** Creates a key that has no more permissions than the caller. */
export const createApiKey = route({
  method: "post",
  path: "/api/v1/keys",
  id: "createApiKey",
  tag: "API keys",
  summary: "Create an API key; its secret value is shown only in this answer",
  who: writes,
  in: { body: keyCreation },
  refusals: ["conflict"],
  out: createdKey,
  status: 201,
  handle: async ({ deps, caller, input: { body }, from }) => {
    const input = { ...body, expiresAt: timeOf(body.expiresAt) };
    const made = settled(await createKey(commandDeps(deps), keyActor(caller, from), input, deps.now()));
    return { ...shown(made.info), key: made.key };
  },
});

export const getApiKey = route({
  method: "get",
  path: "/api/v1/keys/{id}",
  id: "getApiKey",
  tag: "API keys",
  summary: "Get an API key, without its secret value",
  who: reads,
  in: { params },
  out: shownKey,
  refusals: ["not_found"],
  handle: async ({ deps, caller, input }) => {
    const found = await getKey(deps.databases.write, caller, input.params.id, deps.now());
    if (!found) throw noKey();
    return shown(found);
  },
});

/** Changes the given settings. They are in force before the answer. */
export const changeApiKey = route({
  method: "patch",
  path: "/api/v1/keys/{id}",
  id: "changeApiKey",
  tag: "API keys",
  summary: "Change, disable or enable an API key",
  who: writes,
  in: {
    params,
    body: z
      .strictObject({
        ...keyFields,
        enabled: z.boolean().describe("False: the key is disabled until it is enabled again."),
      })
      .partial(),
  },
  out: shownKey,
  refusals: ["not_found", "conflict", "revocation_pending"],
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const change = { ...body, expiresAt: timeOf(body.expiresAt) };
    return shown(settled(await updateKey(commandDeps(deps), keyActor(caller, from), at.id, change, deps.now())).info);
  },
});

export const rotateApiKey = route({
  method: "post",
  path: "/api/v1/keys/{id}/rotate",
  id: "rotateApiKey",
  tag: "API keys",
  summary: "Replace an API key; the new one is shown only in this answer, and both work until the overlap ends",
  who: writes,
  in: {
    params,
    body: z.strictObject({
      overlapSeconds: z
        .number()
        .default(OVERLAP_SECONDS.usual)
        .describe("How long the old key still works, in seconds."),
    }),
  },
  refusals: ["not_found", "conflict"],
  out: createdKey.extend({
    pending: z.boolean().describe("True: the old key may still work for up to 30 seconds after the overlap."),
  }),
  status: 201,
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const made = settled(await rotateKey(commandDeps(deps), keyActor(caller, from), at.id, body, deps.now()));
    return { ...shown(made.info), key: made.key, pending: made.isPending === true };
  },
});

const revocation = {
  tag: "API keys",
  summary: "Revoke an API key; this cannot be undone",
  who: writes,
  in: { params },
  out: shownKey,
  refusals: ["not_found", "conflict", "revocation_pending"],
  handle: async ({ deps, caller, input, from }: RevocationWork) =>
    shown(settled(await revokeKey(commandDeps(deps), keyActor(caller, from), input.params.id, deps.now())).info),
} as const;
interface RevocationWork {
  deps: ApiDeps;
  caller: Principal;
  input: { params: { id: string } };
  from: RequestOrigin;
}

export const revokeApiKey = route({
  method: "post",
  path: "/api/v1/keys/{id}/revoke",
  id: "revokeApiKey",
  ...revocation,
});
/** The same as {@link revokeApiKey}: the key is not deleted, because the audit log refers to its id. */
export const deleteApiKey = route({ method: "delete", path: "/api/v1/keys/{id}", id: "deleteApiKey", ...revocation });

/** For anyone who finds a leaked key. Knowing the whole key is enough to report it. */
export const reportApiKeyLeak = route({
  method: "post",
  path: "/api/v1/keys/report-leak",
  id: "reportApiKeyLeak",
  tag: "API keys",
  summary: "Report a leaked API key: it is revoked permanently, and its owner is notified",
  who: "anyone",
  in: { body: z.strictObject({ key: z.string().max(200).describe("The whole key.") }) },
  out: z.object({ revoked: z.literal(true).describe("The key has stopped working, and its owner is notified.") }),
  refusals: ["not_found", "rate_limited", "revocation_pending"],
  handle: async ({ deps, input: { body }, from }) => {
    const { databases, flushOutbox, sendMail, background, config } = deps;
    const shutOut = deps.failedAttempts.refusalOf(from.ip, deps.now());
    if (shutOut) throw toError(shutOut);
    const leak = { db: databases.write, flushOutbox, sendMail, background, origin: config.BASE_URL };
    const reported = await reportLeak(leak, body.key, unauthenticated(from), deps.now());
    switch (reported.state) {
      case "done":
        return { revoked: true as const };
      case "unknown":
        deps.failedAttempts.failed(from.ip, deps.now());
        throw new AppError("not_found", "This key does not exist here: it was never created, or it was deleted.");
      case "malformed":
        throw new AppError(
          "invalid_request",
          '"key" is not a key of this gateway: its format or its checksum is wrong.',
        );
      default:
        return reported satisfies never;
    }
  },
});

const commandDeps = ({ databases, flushOutbox }: ApiDeps) => ({ db: databases.write, flushOutbox });

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
          .map(([field, problem]) => `"${field}": ${problem}`)
          .join(" "),
      );
    case "forbidden":
    case "conflict":
      throw new AppError(outcome.state, outcome.problem);
    default:
      return outcome satisfies never;
  }
}

const noKey = () => new AppError("not_found", "You have no key with this id in the organization of your credential.");
