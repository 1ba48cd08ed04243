import { mayStayConnected } from "../grants/clients/clients.ts";
import type { Db } from "../platform/postgres/db.ts";

/**
 * Adds `offline_access` to an authorization request, of a device too, for a client that registered for refresh tokens.
 * MCP clients request the scopes that a challenge names, and a challenge must not name `offline_access` (MCP
 * 2026-07-28, authorization, refresh tokens). Without this, people would have to sign in every quarter of an hour. The
 * consent page says that the app stays connected.
 */
export async function stayingConnected(
  text: string,
  { db, config }: { db: Pick<Db, "execute">; config: { SCOPES?: readonly string[] | undefined } },
): Promise<string> {
  const parameters = new URLSearchParams(text);
  const [scope, ...more] = parameters.getAll("scope");
  const clientId = parameters.get("client_id");
  const named = (scope ?? "").split(" ");
  // A request through a browser needs PKCE for offline_access. No client id contains NUL.
  if (!clientId || clientId.includes("\0")) return text;
  if (parameters.has("response_type") && !parameters.has("code_challenge")) return text;
  if (more.length > 0 || named.includes("offline_access")) return text;
  if (config.SCOPES && !config.SCOPES.includes("offline_access")) return text;
  if (!(await mayStayConnected(db, clientId))) return text;
  parameters.set("scope", [...named, "offline_access"].join(" "));
  return parameters.toString();
}
