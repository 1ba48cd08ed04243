import { createHash, randomBytes } from "node:crypto";
import { authorize, formBrowser } from "../../dev/form-browser.ts";
import { apikey, user } from "../../src/identity/schema.ts";
import { scopesToPermissions } from "../../src/identity/scopes.ts";
import { ensurePersonalTenant } from "../../src/auth/account/arrival.ts";
import { generateApiKey, KEY_START_LENGTH } from "../../src/keys/token.ts";
import { parseConfig } from "../../src/platform/config.ts";
import { sha256 } from "../../src/platform/crypto.ts";
import { connectDatabases } from "../../src/platform/postgres/db.ts";
import { CONNECTIONS } from "./load.ts";

type Headers = Record<string, string>;

const REDIRECT = "http://127.0.0.1:33418/callback";

/** An API key for each connection, each of a user of its own, as headers. Both our Worker and Better Auth accept them. */
export async function newApiKeys(settings: Readonly<Record<string, string>>): Promise<Headers[]> {
  const parsed = parseConfig(settings);
  if ("problems" in parsed) throw new Error(`local settings are wrong: ${JSON.stringify(parsed.problems)}`);
  const db = connectDatabases(parsed.config).write;
  const now = new Date();
  const made: Headers[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const id = `bench-${i}`;
    const key = generateApiKey("test");
    await db.insert(user).values({ id, name: "Bench user", email: `${id}@example.com`, emailVerified: true });
    await ensurePersonalTenant(db, id, []);
    await db.insert(apikey).values({
      id,
      name: "Bench key",
      referenceId: id,
      key: await sha256(key),
      start: key.slice(0, KEY_START_LENGTH),
      rateLimitEnabled: false,
      permissions: JSON.stringify(scopesToPermissions(["mcp:tools"])),
      createdAt: now,
      updatedAt: now,
    });
    made.push({ "x-api-key": key });
  }
  return made;
}

/** Where an authorization server has what is needed for a token. */
export interface AuthorizationServer {
  /** Without a slash at the end. */
  url: string;
  paths: { register: string; authorize: string; token: string };
  resource: string;
  login: { email: string; password: string };
}

/** An access token for each connection, each of a grant of its own, as headers: through registration, sign-in and consent. */
export async function newAccessTokens(server: AuthorizationServer): Promise<Headers[]> {
  const { url, paths, resource, login } = server;
  const registered = await post(`${url}${paths.register}`, {
    type: "application/json",
    body: JSON.stringify({
      client_name: "Bench client",
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    }),
  });
  const clientId = String(registered["client_id"]);
  const browser = formBrowser(url);
  const made: Headers[] = [];
  for (let i = 0; i < CONNECTIONS; i++) {
    const verifier = randomBytes(32).toString("base64url");
    const question = new URLSearchParams({
      response_type: "code",
      client_id: clientId,
      redirect_uri: REDIRECT,
      scope: "mcp:tools",
      state: String(i),
      resource,
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
    });
    const answer = await authorize(browser, `${url}${paths.authorize}?${question.toString()}`, login);
    const tokens = await post(`${url}${paths.token}`, {
      type: "application/x-www-form-urlencoded",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id: clientId,
        redirect_uri: REDIRECT,
        code: answer.searchParams.get("code") ?? "",
        code_verifier: verifier,
        resource,
      }).toString(),
    });
    made.push({ authorization: `Bearer ${String(tokens["access_token"])}` });
  }
  return made;
}

async function post(url: string, { type, body }: { type: string; body: string }): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": type }, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as Record<string, unknown>;
}
