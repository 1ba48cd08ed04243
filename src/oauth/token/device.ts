import type { ChangedBy } from "../../audit/event.ts";
import { grantOfRedeemedDevice, releaseDeviceCode } from "../../grants/device/codes.ts";
import { inRefusal } from "../refusal.ts";
import { endGrant, type GrantDeps } from "../../grants/revocation.ts";

/** Asks the framework for the tokens of a device code. `redemption` identifies this request if it redeems the code. */
type Exchange = (redemption: string) => Promise<Response>;

const MAX_CODE_LENGTH = 191;

/**
 * One poll of a device (RFC 8628 §3.4). An approved code gives tokens once: of concurrent polls one gets them; the
 * others are told to slow down or refused, without side effects. A later replay ends the grant of the code. If the
 * exchange fails on our side, the code is released and the device polls on.
 */
export async function redeemDeviceCode(
  grants: GrantDeps,
  presented: string | null,
  by: ChangedBy,
  exchange: Exchange,
): Promise<Response> {
  const redemption = crypto.randomUUID();
  if (presented === null || presented === "" || presented.length > MAX_CODE_LENGTH) return exchange(redemption);
  let answer: Response | undefined;
  try {
    answer = await exchange(redemption);
  } finally {
    // If this fails too, the code is lost and the person starts again on the device.
    if (answer === undefined || answer.status >= 500) await releaseDeviceCode(grants.db, presented, redemption);
  }
  if (await isUnknownCode(answer)) {
    const grantId = await grantOfRedeemedDevice(grants.db, presented);
    if (grantId !== null)
      await endGrant(grants, grantId, { event: "grant.ended", reason: "device_code_replayed", ...by });
  }
  return answer;
}

async function isUnknownCode(answer: Response): Promise<boolean> {
  if (answer.status !== 400) return false;
  return (await inRefusal(answer)).error === "invalid_grant";
}
