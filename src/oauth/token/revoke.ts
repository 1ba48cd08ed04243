import type { ChangedBy } from "../../audit/event.ts";
import { endGrant, grantOfRefreshToken, type GrantDeps } from "../../grants/revocation.ts";
import { presentedClientId } from "./client-id.ts";

/** Asks the framework, which authenticates the client, with this body. */
type Ask = (body: string) => Promise<Response>;

/** No token has this form. */
const NO_TOKEN = "revoked";

/**
 * Revocation (RFC 7009). A refresh token takes its whole grant along, access tokens included, before the answer, even when it has been
 * rotated since. The framework never sees it: at a rotated one it ends every grant of that person with that client.
 */
export async function revokeToken(
  grants: GrantDeps,
  { body, authorization, actor, now }: { body: string; authorization: string | undefined } & ChangedBy,
  ask: Ask,
): Promise<Response> {
  const form = new URLSearchParams(body);
  const presented = form.get("token");
  const clientId = presentedClientId(form, authorization);
  const grantId = presented && clientId ? await grantOfRefreshToken(grants, presented, clientId) : null;
  if (grantId !== null) {
    form.set("token", NO_TOKEN);
    form.set("token_type_hint", "refresh_token");
  }
  const answer = await ask(grantId === null ? body : form.toString());
  const refused = !answer.ok && (presented === null || (await errorOf(answer)) !== "invalid_request");
  if (refused) return answer;
  // Here the framework has authenticated the client.
  const by = { actor: { ...actor, clientId }, now };
  if (grantId !== null) await endGrant(grants, grantId, { event: "token.revoked", reason: "revoked_by_client", ...by });
  // A token that is not there is as good as revoked (RFC 7009 §2.2); the framework says 400 then.
  return new Response(null, { headers: { "cache-control": "no-store" } });
}

async function errorOf(answer: Response): Promise<string | undefined> {
  return (await answer.clone().json<{ error?: string }>()).error;
}
