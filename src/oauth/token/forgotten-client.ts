import { isKnownClient, namesDocument } from "../../grants/clients/clients.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { oauthError } from "../answers.ts";
import { inRefusal } from "../refusal.ts";
import { presentedClientId } from "./client-id.ts";

/** Refusals behind which there can be a client that we do not know. */
const SUSPECT: ReadonlySet<string | undefined> = new Set(["invalid_grant", "invalid_client"]);

/**
 * Refuses with `invalid_client` (RFC 6749 §5.2) when there is no such client any more. What it was granted was deleted
 * with its registration, so the framework says `invalid_grant`; but clients register again only after `invalid_client`.
 * Costs one statement, after a refusal only.
 */
export async function tellForgottenClient(
  db: Pick<Db, "execute">,
  answer: Response,
  form: URLSearchParams,
  authorization: string | undefined,
): Promise<Response> {
  if (answer.status < 400 || !SUSPECT.has((await inRefusal(answer)).error)) return answer;
  const clientId = presentedClientId(form, authorization);
  if (!clientId || namesDocument(clientId) || (await isKnownClient(db, clientId))) return answer;
  return oauthError(
    401,
    "invalid_client",
    "This client is not registered here, or its registration was deleted. Register it again, then sign in.",
    authorization === undefined ? {} : { "www-authenticate": "Basic" },
  );
}
