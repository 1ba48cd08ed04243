import { AsyncLocalStorage } from "node:async_hooks";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { TakenCode } from "../../grants/codes.ts";

/** What a request to the token endpoint has at hand while the framework, which asks for one thing at a time, works on it. */
export interface TokenRequest {
  /** The authorization code that it redeems, taken beforehand. */
  code?: TakenCode | undefined;
  /** Our address that the client asked: proofs of possession name it (RFC 9449 §4.3). */
  endpoint?: string | undefined;
  /** Names this redemption of a device code, so that it alone can take it back. */
  redemption?: string | undefined;
  /** What somebody has approved, once this request has redeemed the device code. */
  approval?: { grantId: string; reference: string };
  /** Rows that were read together with another one, by model and id. Each serves one question. */
  rows: Map<string, object>;
}

const current = new AsyncLocalStorage<TokenRequest>();

/** Runs the framework on one token request, with what is known of it beforehand. */
export const runTokenRequest = <T>(
  known: Pick<TokenRequest, "code" | "endpoint" | "redemption">,
  work: () => Promise<T>,
): Promise<T> => current.run({ ...known, rows: new Map() }, work);

/** The token request that is being worked on, if this is one. */
export const currentTokenRequest = (): TokenRequest | undefined => current.getStore();

/** The value of a one-time key when it is the code that this token request has taken. */
export function takenValue(key: string): string | undefined {
  const code = current.getStore()?.code;
  return code && redisKeys.auth(key) === redisKeys.authorizationCode(code.hash) ? code.value : undefined;
}
