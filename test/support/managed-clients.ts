// Clients that an administrator makes, and how they authenticate.
import { sql } from "drizzle-orm";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { db, newKey, newUser, origin, request } from "./gateway.ts";
import { AUTH, form, type Parameters } from "./oauth.ts";

export const CLIENTS = "/api/v1/clients";

/** What the management API shows of a client. */
export interface ManagedClient {
  clientId: string;
  clientSecret: string | null;
  name: string;
  tenantId: string | null;
  [field: string]: unknown;
}

export const setRole = (userId: string, role: "admin" | "user") =>
  db.execute(sql`update "user" set role = ${role} where id = ${userId}`);

/** Somebody who administers the gateway, and an API key of theirs that says so. */
export async function newAdministrator(): Promise<{ id: string; key: string }> {
  const { id } = await newUser();
  await setRole(id, "admin");
  return { id, key: (await newKey({ userId: id, scopes: ["admin"] })).key };
}

export type Manage = (method: string, path: string, body?: unknown) => Promise<Response>;

/** Sends requests to the management API with a key. */
export const managing =
  (key: string): Manage =>
  (method, path, body) =>
    request(path, {
      method,
      headers: { "x-api-key": key, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

let administrator: Promise<Manage> | undefined;

/** The management API, as an administrator of the tests' own. */
export const manage: Manage = async (...asked) => {
  administrator ??= newAdministrator().then(({ key }) => managing(key));
  return (await administrator)(...asked);
};

/** A client for itself in a tenant of its own, unless the fields say otherwise. */
export async function newManagedClient(fields: Record<string, unknown> = {}): Promise<ManagedClient> {
  const machine = { clientCredentialsScopes: ["mcp:tools"], tenantId: (await newUser()).tenantId };
  const usual = { name: "Managed client", ...("redirectUris" in fields || "resources" in fields ? {} : machine) };
  const answer = await manage("POST", CLIENTS, { ...usual, ...fields });
  if (answer.status !== 201) throw new Error(`no client: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

export interface Sent {
  headers?: Record<string, string>;
  fields?: Parameters;
}

export const byBasic = ({ clientId, clientSecret }: Pick<ManagedClient, "clientId" | "clientSecret">): Sent => ({
  headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
});

export const byPost = ({ clientId, clientSecret }: Pick<ManagedClient, "clientId" | "clientSecret">): Sent => ({
  fields: { client_id: clientId, client_secret: clientSecret ?? undefined },
});

/** Sends a form to an endpoint of the authorization server, as a client that authenticates. */
export const postAs = (name: "token" | "introspect" | "revoke", client: Sent, fields: Parameters): Promise<Response> =>
  request(`${AUTH}/oauth2/${name}`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", ...client.headers },
    body: form({ ...fields, ...client.fields }),
  });

export const clientToken = (client: Sent, fields: Parameters = {}): Promise<Response> =>
  postAs("token", client, { grant_type: "client_credentials", ...fields });

/** A key pair of a client, with its public half as it is registered. */
export async function clientKeys(alg = "ES256") {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const sign = (clientId: string, claims: Readonly<Record<string, unknown>> = {}) => {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({
      iss: clientId,
      sub: clientId,
      aud: origin,
      iat: now,
      exp: now + 60,
      jti: crypto.randomUUID(),
      ...claims,
    })
      .setProtectedHeader({ alg })
      .sign(privateKey);
  };
  return { jwks: { keys: [{ ...(await exportJWK(publicKey)), alg }] }, private: await exportJWK(privateKey), sign };
}

export const byAssertion = (assertion: string): Sent => ({
  fields: {
    client_assertion: assertion,
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  },
});
