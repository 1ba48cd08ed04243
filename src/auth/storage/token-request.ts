import { AsyncLocalStorage } from "node:async_hooks";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { TakenCode } from "../../grants/codes.ts";

/**
 * What is known about a request to the token endpoint while the framework, which looks up one thing at a time, handles
 * it.
 */
export interface TokenRequest {
  /** The authorization code that it redeems, taken before. */
  code?: TakenCode | undefined;
  /** Our address that the client called. Proofs of possession name it (RFC 9449 §4.3). */
  endpoint?: string | undefined;
  /** Identifies this redemption of a device code, so that no other request can undo it. */
  redemption?: string | undefined;
  /** What a person approved; set once this request has redeemed the device code. */
  approval?: { grantId: string; reference: string };
  /** The scopes of the refresh token that this request presents, once its row has been read. */
  refreshScopes?: readonly string[];
  /** Rows that were read together with another one, by model and id. Each answers one look-up. */
  rows: Map<string, object>;
}

const current = new AsyncLocalStorage<TokenRequest>();

/** Runs the framework on one token request, with what is already known about it. */
export const runTokenRequest = <T>(
  known: Pick<TokenRequest, "code" | "endpoint" | "redemption">,
  work: () => Promise<T>,
): Promise<T> => current.run({ ...known, rows: new Map() }, work);

/** The current token request; undefined outside of one. */
export const currentTokenRequest = (): TokenRequest | undefined => current.getStore();

/** The value of a one-time key if it is the code that this token request has taken. */
export function takenValue(key: string): string | undefined {
  const code = current.getStore()?.code;
  return code && redisKeys.auth(key) === redisKeys.authorizationCode(code.hash) ? code.value : undefined;
}
