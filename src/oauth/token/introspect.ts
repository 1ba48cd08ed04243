import { introspectToken, type IntrospectionDeps } from "../../access/verification/introspection.ts";
import type { AuthenticatedClient } from "../../grants/clients/authenticated-client.ts";
import { oauthError } from "../answers.ts";
import { clientIdRefusal } from "./client-id.ts";
import { givenParameters, hasRepeated } from "../parameters.ts";
import { inOAuthTerms } from "../refusal.ts";

/** Asks the framework which client a form is from. */
type Authenticate = (form: string) => Promise<Response>;

const CREDENTIALS = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

/**
 * Introspection (RFC 7662) for confidential clients. A token is shown to the client that it was issued to and to those
 * that serve its resource; an API key to those of its tenant. For all other clients, every token is inactive. The
 * parameter `address`, an extension that RFC 7662 §2.1 allows, says where the token was presented from. `now` is in
 * milliseconds.
 */
export async function introspect(
  deps: IntrospectionDeps,
  { body, authorization, now }: { body: string; authorization: string | undefined; now: number },
  authenticate: Authenticate,
): Promise<Response> {
  const form = givenParameters(body);
  if (hasRepeated(form) || form.getAll("resource").length > 1)
    return oauthError(400, "invalid_request", "Give each parameter once (RFC 6749 §3.2).");
  const unusable = clientIdRefusal(form, authorization);
  if (unusable) return unusable;
  const named = [...form].filter(([name]) => CREDENTIALS.includes(name));
  if (authorization === undefined && named.length === 0) return unknownClient("Authenticate as a confidential client.");
  const answer = await inOAuthTerms(await authenticate(new URLSearchParams(named).toString()));
  if (!answer.ok) return challenged(answer);
  const client = await answer.json<AuthenticatedClient>();
  const token = form.get("token") ?? "";
  if (token === "") return oauthError(400, "invalid_request", "Send the token in the parameter token (RFC 7662 §2.1).");
  return Response.json(await introspectToken(deps, { token, address: form.get("address"), client, now }), {
    headers: { "cache-control": "no-store" },
  });
}

/**
 * Wrong client credentials give 401 here (RFC 7662 §2.3), however they were sent. A 401 carries a challenge (RFC 9110
 * §15.5.2).
 */
async function challenged(answer: Response): Promise<Response> {
  const { error, error_description: description = "" } = await answer
    .clone()
    .json<{ error?: string; error_description?: string }>();
  return error === "invalid_client" ? unknownClient(description) : answer;
}

const unknownClient = (description: string) =>
  oauthError(401, "invalid_client", description, { "www-authenticate": "Basic" });
