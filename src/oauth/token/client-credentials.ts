import { resourceOf } from "../../identity/resources.ts";
import { oauthError } from "../answers.ts";

/**
 * A client requests a token for itself (RFC 6749 §4.4). Without a resource it is for `/mcp`, as for other clients; the
 * framework would issue a token that no resource accepts. `exchange` asks the framework, which authenticates the
 * client.
 */
export async function clientCredentials(
  form: URLSearchParams,
  origin: string,
  exchange: (body: string) => Promise<Response>,
): Promise<Response> {
  if (form.getAll("resource").length > 1)
    return oauthError(400, "invalid_target", "Name one resource. A token is for one server of this gateway.");
  const asked = new URLSearchParams(form);
  if (!asked.has("resource")) asked.set("resource", resourceOf(origin));
  const scopes = new Set(
    asked
      .get("scope")
      ?.split(" ")
      .filter((scope) => scope !== ""),
  );
  if (scopes.size > 0) asked.set("scope", [...scopes].join(" "));
  else asked.delete("scope");
  return exchange(asked.toString());
}
