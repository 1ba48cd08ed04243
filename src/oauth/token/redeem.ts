import type { ChangedBy } from "../../audit/event.ts";
import { closeCode, giveBackCode, takeCode, type TakenCode } from "../../grants/codes.ts";
import { endGrantOfCode, grantOfCode, type GrantDeps } from "../../grants/revocation.ts";
import type { Redis } from "../../platform/redis/redis.ts";
import { oauthError } from "../answers.ts";
import { inRefusal } from "../refusal.ts";
import { settled } from "./settled.ts";

export interface RedeemDeps extends Pick<GrantDeps, "db" | "accessTokenSeconds"> {
  redis: GrantDeps["redis"] & Pick<Redis, "eval" | "del">;
}

/** Asks the framework for the tokens of a code that has been taken for this request. */
type Exchange = (code?: TakenCode) => Promise<Response>;

/**
 * Refusals that say nothing of the code: the client has not proved who it is, has asked wrongly, or too often. It may
 * correct that and present the code again. After a wrong verifier or redirect URI (`invalid_grant`) it may not, because
 * the code may be stolen.
 */
const KEEPS_CODE: ReadonlySet<string> = new Set([
  "invalid_client",
  "unauthorized_client",
  "invalid_request",
  "invalid_target",
  // The framework's limit of requests from one address.
  "temporarily_unavailable",
]);

const CODE = /^[A-Za-z0-9]{32}$/;

/**
 * Redeems an authorization code at most once (RFC 6749 §4.1.2). Of concurrent requests one gets tokens; the others are
 * refused without side effects. A later replay ends the grant of the code. If the exchange fails on our side, the code
 * is given back and the client can try again.
 */
export async function redeem(
  deps: RedeemDeps,
  presented: string | null,
  by: ChangedBy,
  exchange: Exchange,
): Promise<Response> {
  if (presented === null || !CODE.test(presented)) return exchange();
  const { answer: taking, hasWaited } = await settled(
    () => takeCode(deps.redis, presented),
    ({ state }) => state === "redeeming",
  );
  switch (taking.state) {
    case "redeeming":
      return redeemedByOther();
    case "unknown": {
      // The request that held it has redeemed it meanwhile. This one came at the same time: it is no replay.
      if (hasWaited) return redeemedByOther();
      // Read before the framework deletes the tokens that the code gave.
      const begun = await grantOfCode(deps.db, presented);
      const refused = await exchange();
      if (refused.status === 400) await endGrantOfCode(deps, presented, begun, by);
      return refused;
    }
    case "taken":
      return redeemTaken(deps, taking.code, exchange);
    default:
      return taking satisfies never;
  }
}

async function redeemTaken({ redis }: RedeemDeps, code: TakenCode, exchange: Exchange): Promise<Response> {
  let answer: Response | undefined;
  let isKept = true;
  try {
    answer = await exchange(code);
    isKept = answer.status >= 500 || (answer.status >= 400 && KEEPS_CODE.has((await inRefusal(answer)).error ?? ""));
  } finally {
    // If this fails too, the code is lost and the person signs in again.
    if (isKept) await giveBackCode(redis, code, Date.now());
  }
  // A failure is ignored: the mark expires by itself.
  if (!isKept) await closeCode(redis, code).catch(() => undefined);
  return answer;
}

const redeemedByOther = () =>
  oauthError(400, "invalid_grant", "Another request redeemed this code. Sign in again if it was not yours.");
