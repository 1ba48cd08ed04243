import { drizzleAdapter } from "better-auth/adapters/drizzle";
import type { BetterAuthOptions } from "better-auth";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { noteAccount } from "../trail.ts";
import { polledDevice, redeemDevice } from "./device-codes.ts";
import { readAhead } from "./read-ahead.ts";
import { currentTokenRequest } from "./token-request.ts";
import { isResource } from "../../identity/resources.ts";
import * as schema from "../../identity/schema.ts";
import { aboutSessions } from "./session-faults.ts";

/**
 * Better Auth's tables over Neon HTTP. Every `/mcp/{slug}` of this origin is a resource without a row of its own: a
 * stored list would reveal to anybody which slugs exist, and would cost a statement for each authorization and token.
 */
export function database(db: Db, origin: string) {
  const connect = drizzleAdapter(db, { provider: "pg", schema, transaction: false });
  return (options: BetterAuthOptions): ReturnType<typeof connect> => {
    const adapter = connect(options);
    const aboutModel = <T>(model: string, statement: () => Promise<T>): Promise<T> =>
      model === "session" ? aboutSessions(statement) : statement();
    return {
      ...adapter,
      findMany: (query) => aboutModel(query.model, () => adapter.findMany(query)),
      delete: (query) => aboutModel(query.model, () => adapter.delete(query)),
      deleteMany: (query) => aboutModel(query.model, () => adapter.deleteMany(query)),
      findOne: async <T>(query: Parameters<typeof adapter.findOne>[0]): Promise<T | null> => {
        const identifier = query.where[0]?.value;
        if (query.model === "oauthResource" && typeof identifier === "string")
          return isResource(identifier, origin) ? (resourceRow(identifier) as T) : null;
        if (query.model === "deviceCode" && query.where[0]?.field === "deviceCode" && typeof identifier === "string")
          return (await polledDevice(db, identifier)) as T | null;
        const read = await readAhead(db, query);
        if (read !== undefined) return read as T | null;
        const found = await aboutModel(query.model, () => adapter.findOne<T>(query));
        if (query.model === "user") noteAccount(found);
        return found;
      },
      create: async <T extends Record<string, unknown>, R = T>(
        query: Parameters<typeof adapter.create<T, R>>[0],
      ): Promise<R> => {
        // The client may have asked for fewer scopes this time. That narrows the access token, never its next refresh
        // token (RFC 6749 §6).
        const scopes = query.model === "oauthRefreshToken" ? currentTokenRequest()?.refreshScopes : undefined;
        if (scopes !== undefined) return adapter.create<T, R>({ ...query, data: { ...query.data, scopes } });
        const code: unknown = query.model === "deviceCode" ? query.data["deviceCode"] : undefined;
        if (typeof code !== "string") return adapter.create<T, R>(query);
        return adapter.create<T, R>({ ...query, data: { ...query.data, deviceCode: await sha256(code) } });
      },
      consumeOne: async <T>(query: Parameters<typeof adapter.consumeOne>[0]): Promise<T | null> => {
        if (query.model !== "deviceCode") return adapter.consumeOne<T>(query);
        const wanted = (name: string) => String(query.where.find(({ field }) => field === name)?.value);
        return (await redeemDevice(db, wanted("id"), wanted("oauthClientId"))) as T | null;
      },
    };
  };
}

function resourceRow(identifier: string): typeof schema.oauthResource.$inferSelect {
  return {
    id: identifier,
    identifier,
    name: identifier,
    accessTokenTtl: null,
    refreshTokenTtl: null,
    signingAlgorithm: null,
    signingKeyId: null,
    allowedScopes: null,
    customClaims: null,
    dpopBoundAccessTokensRequired: false,
    disabled: false,
    policyVersion: 1,
    metadata: null,
    createdAt: null,
    updatedAt: null,
  };
}
