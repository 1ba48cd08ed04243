import type { ChangedBy } from "../../audit/event.ts";
import { lockRefresh, discardSuccessor, keepAnswer, releaseLock, type RefreshRequest } from "../../grants/rotation.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { endGrant, type GrantDeps } from "../../grants/revocation.ts";
import { oauthError, temporarilyUnavailable } from "../answers.ts";
import { settled } from "./settled.ts";
import { presentedClientId } from "./client-id.ts";

interface PresentedRefresh {
  form: URLSearchParams;
  authorization: string | undefined;
  /** Thumbprint of the key whose possession the request has proved. */
  thumbprint?: string;
}

/** Asks the framework for new tokens of this grant; null when the presented token belongs to none. */
type Rotate = (grantId: string | null) => Promise<Response>;

const MAX_TOKEN_LENGTH = 512;

/**
 * Refresh token rotation (OAuth 2.1 §4.3.1) that tolerates concurrent and repeated requests: all requests with one
 * token get the same answer for 30 seconds. A token that comes back later ends its grant, and no other grant. `rotate`
 * is called at most once for a token.
 */
export async function refresh(
  grants: GrantDeps,
  presented: PresentedRefresh,
  by: ChangedBy,
  rotate: Rotate,
): Promise<Response> {
  const { db } = grants;
  const request = await refreshRequest(presented);
  if (request === undefined) return rotate(null);
  const { answer: lock } = await settled(
    () => lockRefresh(db, request, by),
    ({ state }) => state === "pending",
  );
  switch (lock.state) {
    case "unknown":
      return rotate(null);
    case "answered":
      return tokenResponse(200, lock.answer);
    case "replayed":
      if (lock.grantId !== null) await endGrant(grants, lock.grantId);
      return usedAlready();
    case "mismatch":
      return usedAlready();
    case "pending":
      return temporarilyUnavailable();
    case "locked":
      return rotateOnce(db, request, lock, rotate);
    default:
      return lock satisfies never;
  }
}

async function rotateOnce(
  db: Pick<Db, "execute">,
  { token }: RefreshRequest,
  { lockId, grantId }: { lockId: string; grantId: string | null },
  rotate: Rotate,
): Promise<Response> {
  const answer = await rotate(grantId);
  if (!answer.ok) {
    // A refusal rotated nothing. After a failure that is not known: the lock expires, and the next request undoes
    // partial work.
    if (answer.status < 500) await releaseLock(db, token, lockId);
    return answer;
  }
  const body = await answer.text();
  if (await keepAnswer(db, token, lockId, body)) return tokenResponse(200, body);
  const { refresh_token: successor } = JSON.parse(body) as { refresh_token?: string };
  if (successor !== undefined) await discardSuccessor(db, successor);
  return temporarilyUnavailable();
}

/** Undefined when the form has no refresh token; the framework refuses that. */
async function refreshRequest({
  form,
  authorization,
  thumbprint,
}: PresentedRefresh): Promise<RefreshRequest | undefined> {
  const token = form.get("refresh_token");
  if (!token || token.length > MAX_TOKEN_LENGTH) return undefined;
  const beside = [...form].filter(([name]) => name !== "refresh_token").map((field) => JSON.stringify(field));
  return {
    token,
    clientId: presentedClientId(form, authorization),
    // Includes the client's secret, so that a stolen token alone does not get the kept answer of a confidential client.
    // Includes the key that the answer is bound to, but not the proof, which differs in each request.
    fingerprint: await sha256(
      JSON.stringify([authorization ?? null, beside.toSorted(), ...(thumbprint === undefined ? [] : [thumbprint])]),
    ),
  };
}

function tokenResponse(status: number, body: string): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-store", pragma: "no-cache" };
  return new Response(body, { status, headers });
}

const usedAlready = () => oauthError(400, "invalid_grant", "This refresh token has already been used. Sign in again.");
