import { mayStayConnected } from "../grants/clients/clients.ts";
import type { Db } from "../platform/postgres/db.ts";

/**
 * A request for authorization, of a device too, with `offline_access` for a client that registered for refresh tokens. MCP clients ask for the scopes that the
 * challenge names, and that one is not for a challenge to name (MCP 2026-07-28, authorization, refresh tokens): without this they would
 * send people to sign in again every quarter of an hour. The consent page says that the app stays connected.
 */
export async function stayingConnected(
  text: string,
  { db, config }: { db: Pick<Db, "execute">; config: { SCOPES?: readonly string[] | undefined } },
): Promise<string> {
  const parameters = new URLSearchParams(text);
  const [scope, ...more] = parameters.getAll("scope");
  const clientId = parameters.get("client_id");
  const named = (scope ?? "").split(" ");
  // Without PKCE there is no staying connected where a code goes through a browser, and NUL is in no id.
  if (!clientId || clientId.includes("\0")) return text;
  if (parameters.has("response_type") && !parameters.has("code_challenge")) return text;
  if (more.length > 0 || named.includes("offline_access")) return text;
  if (config.SCOPES && !config.SCOPES.includes("offline_access")) return text;
  if (!(await mayStayConnected(db, clientId))) return text;
  parameters.set("scope", [...named, "offline_access"].join(" "));
  return parameters.toString();
}
