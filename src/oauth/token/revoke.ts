import type { ChangedBy } from "../../audit/event.ts";
import { endGrant, grantOfRefreshToken, type GrantDeps } from "../../grants/revocation.ts";
import { givenParameters } from "../parameters.ts";
import { inRefusal } from "../refusal.ts";
import { clientIdRefusal, presentedClientId } from "./client-id.ts";

/** Sends this body to the framework, which authenticates the client. */
type Ask = (body: string) => Promise<Response>;

/** No token has this form, so the framework finds none. */
const NO_TOKEN = "revoked";

/**
 * Revocation (RFC 7009). A refresh token, even one that has been rotated, ends its whole grant including access tokens
 * before the answer. The framework does not get the token: for a rotated one it would end every grant of that person
 * with that client.
 */
export async function revokeToken(
  grants: GrantDeps,
  { body, authorization, actor, now }: { body: string; authorization: string | undefined } & ChangedBy,
  ask: Ask,
): Promise<Response> {
  const form = givenParameters(body);
  const unusable = clientIdRefusal(form, authorization);
  if (unusable) return unusable;
  const presented = form.get("token");
  const clientId = presentedClientId(form, authorization);
  const grantId = presented && clientId ? await grantOfRefreshToken(grants, presented, clientId) : null;
  if (grantId !== null) {
    form.set("token", NO_TOKEN);
    form.set("token_type_hint", "refresh_token");
  }
  const answer = await ask(form.toString());
  const refused = !answer.ok && (presented === null || (await inRefusal(answer)).error !== "invalid_request");
  if (refused) return answer;
  // At this point the framework has authenticated the client.
  const by = { actor: { ...actor, clientId }, now };
  if (grantId !== null) await endGrant(grants, grantId, { event: "token.revoked", reason: "revoked_by_client", ...by });
  // Revoking an unknown token succeeds (RFC 7009 §2.2), although the framework answers 400.
  return new Response(null, { headers: { "cache-control": "no-store" } });
}
