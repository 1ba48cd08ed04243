import * as z from "zod";
import { actorOf, type Principal } from "../access/principal.ts";
import type { ChangedBy } from "../audit/event.ts";
import { GRANT_TYPES, type ClientSettings } from "../grants/clients/settings.ts";
import { AUTH_METHODS } from "../grants/clients/managed-client.ts";
import { findClient, listClients, type ManagedClient } from "../grants/clients/managed-clients.ts";
import { ALL_SCOPES } from "../identity/scopes.ts";
import {
  changeClient,
  deleteClient,
  makeClient,
  rotateClientSecret,
  type ClientChangeDeps,
  type ClientRefusal,
} from "../grants/clients/changes.ts";
import { AppError } from "../platform/errors.ts";
import type { RequestOrigin } from "../platform/http.ts";
import { route, type ApiDeps } from "./deps.ts";
import { instant, nextCursor, paged } from "./shapes.ts";

const who = "administrator";
const text = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^\P{Cc}*$/u, "must have no control characters");
const scope = z.enum(ALL_SCOPES);
const params = z.object({
  clientId: z
    .string()
    .regex(/^[\w-]{1,100}$/, "is not a client id")
    .describe("The client's id."),
});

const fields = {
  name: text(100).regex(/\S/, "must not be empty").describe("The name that people see on the consent page."),
  authMethod: z.enum(AUTH_METHODS).describe("How the client authenticates at the token endpoint."),
  jwks: z
    .object({ keys: z.array(z.record(z.string(), z.unknown())).describe("JSON Web Keys (RFC 7517).") })
    .nullable()
    .describe("The public keys of a client that authenticates with private_key_jwt."),
  redirectUris: z
    .array(z.string())
    .max(20)
    .describe("The redirect URIs to which people may return after they sign in."),
  grantTypes: z.array(z.enum(GRANT_TYPES)).describe("The grant types that the client may use."),
  scopes: z.array(scope).describe("The scopes that people can grant to the client."),
  clientCredentialsScopes: z
    .array(scope)
    .describe("The scopes that the client gets for itself, with client_credentials."),
  tenantId: text(200).nullable().describe("The organization in which the client acts for itself."),
  resources: z.array(text(300)).max(50).describe("Resources of this gateway whose tokens the client may introspect."),
  trusted: z.boolean().describe("True: the consent page is skipped."),
  disabled: z.boolean().describe("True: the client gets no tokens, and its existing tokens do not work."),
};

const { name, authMethod, jwks, redirectUris, grantTypes, scopes, clientCredentialsScopes, tenantId, resources } =
  fields;

const creation = z.strictObject({
  name,
  authMethod: authMethod.default("client_secret_basic"),
  jwks: jwks.default(null),
  redirectUris: redirectUris.default([]),
  grantTypes: grantTypes
    .optional()
    .describe(
      "The grant types that the client may use. By default they follow from redirectUris and clientCredentialsScopes.",
    ),
  scopes: scopes.default(["openid", "profile", "email", "offline_access", "mcp:tools"]),
  clientCredentialsScopes: clientCredentialsScopes.default([]),
  tenantId: tenantId.default(null),
  resources: resources.default([]),
  trusted: fields.trusted.default(false),
});

const shape = z.object({
  clientId: z.string().describe("The client's id."),
  ...fields,
  createdAt: instant("When it was created."),
  updatedAt: instant("When it was last changed."),
});
const client = shape.meta({ id: "Client", description: "An OAuth client." });
const withSecret = shape
  .extend({
    clientSecret: z
      .string()
      .nullable()
      .describe("The client secret. It is shown only in this answer; null: the client authenticates without one."),
  })
  .meta({ id: "CreatedClient", description: "An OAuth client with its secret." });

/**
 * Creates an OAuth client of a kind that cannot register itself: for machines, for servers behind the gateway, or
 * trusted.
 */
export const createManagedClient = route({
  method: "post",
  path: "/api/v1/clients",
  id: "createClient",
  tag: "OAuth clients",
  summary: "Create an OAuth client; the secret is shown only in this answer",
  who,
  in: { body: creation },
  out: withSecret,
  status: 201,
  handle: async ({ deps, caller, input: { body }, from }) => {
    expectWhole(caller);
    const settings = { ...body, grantTypes: body.grantTypes ?? impliedGrantTypes(body), disabled: false };
    const made = settled(await makeClient(changeDeps(deps), settings, changedBy(deps, caller, from)));
    deps.log("info", "clients.made", { clientId: made.client.clientId, by: caller.userId });
    return { ...shown(made.client), clientSecret: made.clientSecret };
  },
});

/** Lists the clients that administrators created, newest first. Clients that registered themselves are not included. */
export const listManagedClients = route({
  method: "get",
  path: "/api/v1/clients",
  id: "listClients",
  tag: "OAuth clients",
  summary: "List the OAuth clients that administrators created, newest first",
  who,
  in: {
    query: paged(z.uuid("must be the nextCursor of the previous page")),
  },
  out: z.object({ clients: z.array(client).describe("Clients, newest first."), nextCursor }),
  handle: async ({ deps, input: { query } }) => {
    const clients = await listClients(deps.databases.write, { limit: query.limit, before: query.cursor });
    const last = clients.length === query.limit ? clients.at(-1) : undefined;
    return { clients: clients.map(shown), nextCursor: last?.position ?? null };
  },
});

export const getManagedClient = route({
  method: "get",
  path: "/api/v1/clients/{clientId}",
  id: "getClient",
  tag: "OAuth clients",
  summary: "Get an OAuth client",
  who,
  in: { params },
  out: client,
  refusals: ["not_found"],
  handle: async ({ deps, input }) => {
    const found = await findClient(deps.databases.write, input.params.clientId);
    if (!found) throw noClient();
    return shown(found);
  },
});

/** Changes the given settings. Tokens with permissions that the client loses are revoked before the answer. */
export const changeManagedClient = route({
  method: "patch",
  path: "/api/v1/clients/{clientId}",
  id: "changeClient",
  tag: "OAuth clients",
  summary: "Change, disable or enable an OAuth client",
  who,
  in: { params, body: z.strictObject(fields).omit({ authMethod: true }).partial() },
  out: client,
  refusals: ["not_found", "conflict"],
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    expectWhole(caller);
    const change = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
    const changed = settled(await changeClient(changeDeps(deps), at.clientId, change, changedBy(deps, caller, from)));
    deps.log("info", "clients.changed", { ...at, by: caller.userId, fields: Object.keys(change).join(" ") });
    return shown(changed.client);
  },
});

export const deleteManagedClient = route({
  method: "delete",
  path: "/api/v1/clients/{clientId}",
  id: "deleteClient",
  tag: "OAuth clients",
  summary: "Delete an OAuth client and everything that was granted to it",
  who,
  in: { params },
  out: z.object({ deleted: z.literal(true).describe("The client was deleted.") }),
  refusals: ["not_found", "conflict"],
  handle: async ({ deps, caller, input: { params: at }, from }) => {
    settled(await deleteClient(changeDeps(deps), at.clientId, changedBy(deps, caller, from)));
    deps.log("info", "clients.deleted", { ...at, by: caller.userId });
    return { deleted: true as const };
  },
});

export const rotateManagedClientSecret = route({
  method: "post",
  path: "/api/v1/clients/{clientId}/secret",
  id: "rotateClientSecret",
  tag: "OAuth clients",
  summary: "Replace the secret of an OAuth client; the new one is shown only in this answer, the old one stops working",
  who,
  in: { params },
  out: withSecret,
  refusals: ["not_found", "conflict"],
  handle: async ({ deps, caller, input: { params: at }, from }) => {
    expectWhole(caller);
    const rotated = settled(await rotateClientSecret(changeDeps(deps), at.clientId, changedBy(deps, caller, from)));
    deps.log("info", "clients.secret_rotated", { ...at, by: caller.userId });
    return { ...shown(rotated.client), clientSecret: rotated.clientSecret };
  },
});

/**
 * Refuses a restricted credential: a client has no limits of addresses, tools or quota, so the credential could get
 * around its own.
 */
function expectWhole({ restricted }: Principal): void {
  if (restricted)
    throw new AppError(
      "forbidden",
      "This credential is limited to some servers, tools or addresses, or by a quota or rate. It cannot create or change clients.",
    );
}

function impliedGrantTypes(body: z.infer<typeof creation>): ClientSettings["grantTypes"] {
  return [
    ...(body.redirectUris.length > 0 ? (["authorization_code", "refresh_token"] as const) : []),
    ...(body.clientCredentialsScopes.length > 0 ? (["client_credentials"] as const) : []),
  ];
}

const changedBy = ({ now }: ApiDeps, caller: Principal, from: RequestOrigin): ChangedBy => ({
  actor: actorOf(caller, from),
  now: now(),
});

function changeDeps({ config, databases, grants }: ApiDeps): ClientChangeDeps {
  return {
    db: databases.write,
    grants,
    origin: config.BASE_URL,
    offered: config.SCOPES ?? ALL_SCOPES,
    requirePkce: config.REQUIRE_PKCE,
  };
}

function shown({ grantId: _grant, position: _position, ...seen }: ManagedClient): z.infer<typeof client> {
  return { ...seen, createdAt: seen.createdAt.toISOString(), updatedAt: seen.updatedAt.toISOString() };
}

function settled<Done extends { state: "done" }>(outcome: Done | ClientRefusal): Done {
  switch (outcome.state) {
    case "done":
      return outcome;
    case "unknown":
      throw noClient();
    case "refused":
      throw new AppError("invalid_request", `${outcome.problem.replace(/^\w+/, '"$&"')}.`);
    case "contended":
      throw new AppError("conflict", "The client was changed at the same time. Read it again and retry.");
    default:
      return outcome satisfies never;
  }
}

const noClient = () => new AppError("not_found", "There is no client with this id that an administrator created.");
