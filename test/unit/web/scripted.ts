import { createHmac } from "node:crypto";
import { browser } from "./browser.ts";
import type { WebDeps } from "../../../src/web/frame/deps.ts";
import { web } from "../../../src/web/pages.tsx";

export const ORIGIN = "https://gateway.example.com";
export const SECRET = "kT2v9XqLmR4sWz8yBcD1fGhJ3nPaUeVoIi5Y7K0Q6rxS";

export interface Answer {
  status?: number;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

/** The pages in front of a Better Auth whose answers the test writes, by path below `/api/auth`; what it was asked is kept. */
export function pagesOnScript(
  answers: Readonly<Record<string, Answer | Error>>,
  config: Partial<WebDeps["config"]> = {},
) {
  const asked: { method: string; path: string; search: string; headers: Record<string, string>; body: unknown }[] = [];
  const logged: string[] = [];
  const handler = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const path = url.pathname.slice("/api/auth".length);
    const text = await request.text();
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    asked.push({
      method: request.method,
      path,
      search: url.search,
      headers: Object.fromEntries(request.headers),
      body,
    });
    const answer = answers[path] ?? { status: 404 };
    if (answer instanceof Error) throw answer;
    return Response.json(answer.body ?? null, { status: answer.status ?? 200, headers: { ...answer.headers } });
  };
  const app = web({
    config: {
      BASE_URL: ORIGIN,
      LOGIN_PAGE: "/sign-in",
      BETTER_AUTH_SECRETS: [SECRET],
      SIGN_UP: { kind: "open" },
      ...config,
    },
    auth: async () => ({ handler }),
    ...noStores(),
    log: (level, event, fields) => {
      logged.push(`${level} ${event} ${JSON.stringify(fields)}`);
    },
  });
  return { app, asked, logged };
}

/** Postgres and Redis with nothing in them, and no mail, for pages that ask for no more. */
export const noStores = () =>
  ({
    db: { execute: async () => ({ rows: [] }) },
    grants: { db: {}, redis: { set: async () => "OK", del: async () => 1 }, accessTokenSeconds: 900 },
    journal: { record: () => undefined },
    flushOutbox: async () => undefined,
    sendMail: async () => undefined,
    background: () => undefined,
  }) as unknown as Pick<WebDeps, "db" | "grants" | "journal" | "flushOutbox" | "sendMail" | "background">;

/** A session as `GET /get-session` answers it. */
export const session = (user: { name?: string; email?: string } = {}): Answer => ({
  body: { session: { id: "s1" }, user: { id: "u1", name: "Test Person", email: "person@example.com", ...user } },
});

/** A query signed as Better Auth signs it, good for `seconds`. */
export async function signedQuery(
  parameters: Readonly<Record<string, string>> = {},
  { secret = SECRET, seconds = 300 } = {},
): Promise<string> {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: "client-1",
    redirect_uri: "https://app.example.com/callback",
    scope: "openid mcp:tools",
    resource: `${ORIGIN}/mcp`,
    exp: String(Math.floor(Date.now() / 1000) + seconds),
    ...parameters,
  });
  query.sort();
  query.set("sig", createHmac("sha256", secret).update(query.toString()).digest("base64"));
  return query.toString();
}

const SESSION_COOKIE = "__Secure-mrg.session_token";

/** Somebody who visits the pages in front of a scripted Better Auth, with a session cookie unless said otherwise. */
export function visitor(answers: Readonly<Record<string, Answer | Error>>, { signedIn = true } = {}) {
  const pages = pagesOnScript(answers);
  const person = browser(pages.app, ORIGIN);
  if (signedIn) person.cookies.set(SESSION_COOKIE, "token");
  return { ...pages, person };
}

/** A client as `GET /oauth2/public-client` answers it. */
export const client = (name: string): Answer => ({ body: { client_id: "client-1", client_name: name } });
