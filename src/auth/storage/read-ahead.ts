import { eq } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import * as schema from "../../identity/schema.ts";
import type { TakenCode } from "../../grants/codes.ts";
import { currentTokenRequest, type TokenRequest } from "./token-request.ts";

/** One look-up by the framework: the model and its conditions. */
interface Question {
  model: string;
  where: readonly { field: string; value: unknown }[];
}

/** The look-ups, by model and field, that can be answered from a row that was read together with another one. */
const KEYS = { oauthClient: "clientId", user: "id", session: "id" } as const;

/**
 * Answers a look-up of a token request, and those that will follow it, with one statement. The framework looks up
 * client, user and session one after the other, and each would be a round trip. Undefined for any other look-up.
 */
export async function readAhead(
  db: Pick<Db, "select">,
  { model, where }: Question,
): Promise<object | null | undefined> {
  const request = currentTokenRequest();
  const [condition, ...more] = where;
  if (!request || !condition || more.length > 0 || typeof condition.value !== "string") return undefined;
  const { field, value } = condition;
  if (model in KEYS && field === KEYS[model as keyof typeof KEYS]) {
    const key = `${model}:${value}`;
    const known = request.rows.get(key);
    request.rows.delete(key);
    if (known) return known;
  }
  if (model === "oauthRefreshToken" && field === "token") return refreshToken(db, request, value);
  if (model === "oauthClient" && field === "clientId" && request.code) return clientOfCode(db, request, value);
  return undefined;
}

async function refreshToken(db: Pick<Db, "select">, request: TokenRequest, token: string): Promise<object | null> {
  const { oauthRefreshToken, oauthClient, user } = schema;
  const [found] = await db
    .select({ token: oauthRefreshToken, client: oauthClient, user })
    .from(oauthRefreshToken)
    .innerJoin(oauthClient, eq(oauthClient.clientId, oauthRefreshToken.clientId))
    .innerJoin(user, eq(user.id, oauthRefreshToken.userId))
    .where(eq(oauthRefreshToken.token, token))
    .limit(1);
  if (!found) return null;
  request.refreshScopes = found.token.scopes;
  request.rows.set(`oauthClient:${found.client.clientId}`, found.client);
  request.rows.set(`user:${found.user.id}`, found.user);
  return found.token;
}

async function clientOfCode(
  db: Pick<Db, "select">,
  { rows, code }: TokenRequest,
  clientId: string,
): Promise<object | null | undefined> {
  const authorization = code && authorizationOf(code);
  if (!authorization) return undefined;
  const { oauthClient, user, session } = schema;
  const [found] = await db
    .select({ client: oauthClient, user, session })
    .from(oauthClient)
    .leftJoin(user, eq(user.id, authorization.userId))
    .leftJoin(session, eq(session.id, authorization.sessionId))
    .where(eq(oauthClient.clientId, clientId))
    .limit(1);
  if (!found) return null;
  if (found.user) rows.set(`user:${found.user.id}`, found.user);
  if (found.session) rows.set(`session:${found.session.id}`, found.session);
  return found.client;
}

/** The user and session that a code was issued for, from what the framework stores under it. */
function authorizationOf({ value }: TakenCode): { userId: string; sessionId: string } | undefined {
  const kept = JSON.parse(value) as { value?: string };
  const { userId, sessionId } = JSON.parse(kept.value ?? "{}") as { userId?: unknown; sessionId?: unknown };
  return typeof userId === "string" && typeof sessionId === "string" ? { userId, sessionId } : undefined;
}
