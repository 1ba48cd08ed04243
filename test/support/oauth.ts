// OAuth as an MCP client and its user see it: registration, authorization in a browser, tokens; and gateways with other settings.
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { hashPassword } from "better-auth/crypto";
import { sql } from "drizzle-orm";
import { vi } from "vitest";
import { account } from "../../src/identity/schema.ts";
import { createWorker } from "../../src/worker.ts";
import { formBrowser, leftFor, newAddress, pageOf, type FormBrowser, type Send, type Visit } from "./browsing.ts";
import { db, newUser, origin, request } from "./gateway.ts";
import { background } from "./worker.ts";

export const AUTH = "/api/auth";
export const REDIRECT = "https://client.example.com/callback";
export const PASSWORD = "correct horse battery";
const hashed = hashPassword(PASSWORD);

export interface Person {
  id: string;
  email: string;
  tenantId: string;
}

/** A verified user who signs in with {@link PASSWORD}. */
export async function newPerson(): Promise<Person> {
  const person = await newUser();
  const now = new Date();
  await db.insert(account).values({
    id: crypto.randomUUID(),
    accountId: person.id,
    providerId: "credential",
    userId: person.id,
    password: await hashed,
    createdAt: now,
    updatedAt: now,
  });
  return person;
}

/** Another gateway on the same stack, in this isolate, with some settings changed. */
export function gatewayWith(settings: Readonly<Record<string, string>>): Send {
  const worker = createWorker(() => undefined, background);
  const variables = { ...env, ...settings };
  const base = settings["BASE_URL"] ?? origin;
  return async (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("cf-connecting-ip")) headers.set("cf-connecting-ip", newAddress());
    const sent = new Request(`${base}${path}`, { redirect: "manual", ...init, headers });
    return worker.fetch(sent, variables, createExecutionContext());
  };
}

export const json = (answer: Response) => answer.json<Record<string, unknown>>();

/** A registration (RFC 7591) as it goes over the wire. */
export const register = (fields: unknown, gateway: Send = request, path = `${AUTH}/oauth2/register`) =>
  gateway(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof fields === "string" ? fields : JSON.stringify(fields),
  });

const GRANTS = ["authorization_code", "refresh_token"];

/** A public client of its own for one test; returns its id. */
export async function newClient(fields: Record<string, unknown> = {}, gateway: Send = request): Promise<string> {
  const usual = { client_name: "Test client", redirect_uris: [REDIRECT], grant_types: GRANTS };
  const answer = await register({ ...usual, ...fields }, gateway);
  const { client_id: clientId } = await json(answer);
  if (typeof clientId !== "string") throw new Error(`the registration was refused with ${answer.status}`);
  return clientId;
}

export const VERIFIER = "a-verifier-of-the-form-that-rfc-7636-asks-for-0123456789";
const encoded = (bytes: ArrayBuffer) => Buffer.from(bytes).toString("base64url");
const CHALLENGE = encoded(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(VERIFIER)));

export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Form or query text; a list is repeated, undefined left out. */
export function form(parameters: Parameters): string {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of value === undefined ? [] : [value].flat()) text.append(name, one);
  }
  return text.toString();
}

/** The path of a good authorization request, with some parameters changed; undefined removes one. */
export function authorizePath(clientId: string, changed: Parameters = {}, path = `${AUTH}/oauth2/authorize`): string {
  const good = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: REDIRECT,
    scope: "openid offline_access mcp:tools",
    state: "test-state",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
  };
  return `${path}?${form({ ...good, ...changed })}`;
}

/** Fills in the login page at which a visit stopped. */
export const signInAt = (browser: FormBrowser, visit: Visit, person: Pick<Person, "email">, password = PASSWORD) =>
  browser.submit(pageOf(visit), "/sign-in", { email: person.email, password });

/** Opens an authorization, signs in if asked, decides if asked; returns the URL at which the client gets its answer. */
export async function authorize(
  browser: FormBrowser,
  path: string,
  person: Pick<Person, "email">,
  decision: "allow" | "deny" = "allow",
): Promise<URL> {
  let visit = await browser.open(path);
  if ("page" in visit && visit.page.url.pathname === "/sign-in") visit = await signInAt(browser, visit, person);
  if ("page" in visit && visit.page.url.pathname === "/consent") {
    visit = await browser.submit(visit.page, "/consent", { decision });
  }
  return leftFor(visit);
}

/** A code for a client from an administrator, who grants the scope `admin` too. A sign-in sets the role anew, so it comes after that. */
export async function adminCodeFor(
  clientId: string,
  person: Person,
  scope: string,
  changed: Parameters = {},
): Promise<string> {
  const browser = formBrowser();
  const page = pageOf(
    await signInAt(browser, await browser.open(authorizePath(clientId, { scope, ...changed })), person),
  );
  await db.execute(sql`update "user" set role = 'admin' where id = ${person.id}`);
  const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow", grant_admin: "yes" }));
  return answer.searchParams.get("code") ?? "";
}

/** A code for a client, from a person in a browser. */
export async function codeFor(
  clientId: string,
  person: Pick<Person, "email">,
  changed: Parameters = {},
  browser = formBrowser(),
): Promise<string> {
  const answer = await authorize(browser, authorizePath(clientId, changed), person);
  const code = answer.searchParams.get("code");
  if (code === null) throw new Error(`no code, but ${answer.search}`);
  return code;
}

/** A form post of a client without a browser. */
export const postForm = (path: string, parameters: Parameters, gateway: Send = request) =>
  gateway(path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: form(parameters),
  });

/** Redeems a code; `changed` replaces or, with undefined, removes parameters. */
export const redeem = (clientId: string, code: string, changed: Parameters = {}, gateway: Send = request) =>
  postForm(
    `${AUTH}/oauth2/token`,
    {
      grant_type: "authorization_code",
      client_id: clientId,
      code,
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
      ...changed,
    },
    gateway,
  );

export const refresh = (clientId: string, token: string, changed: Parameters = {}, gateway: Send = request) =>
  postForm(
    `${AUTH}/oauth2/token`,
    { grant_type: "refresh_token", client_id: clientId, refresh_token: token, ...changed },
    gateway,
  );

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token: string;
  scope: string;
}

/** Tokens of a person for a client, through the pages. */
export async function tokensFor(clientId: string, person: Person, changed: Parameters = {}): Promise<Tokens> {
  const code = await codeFor(clientId, person, changed);
  const redirectUri = changed["redirect_uri"] ?? REDIRECT;
  const answer = await redeem(clientId, code, { redirect_uri: redirectUri });
  if (answer.status !== 200) throw new Error(`the token endpoint answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** The claims of a JWT, not verified. */
export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

/** Does the work as if so many seconds had passed for the Worker; Postgres and Redis keep their time. */
export async function later<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 });
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}
