import { AppError } from "../platform/errors.ts";
import { requestAuth, textOf } from "./auth-request.ts";
import type { PageContext, WebDeps } from "./deps.ts";

/** The person that the browser is signed in as. */
export interface SignedIn {
  userId: string;
  name: string;
  email: string;
}

/**
 * Who is signed in, if anybody. Better Auth trusts a session for up to a minute without looking it up; `fresh` makes it look, so
 * that a session revoked elsewhere grants nothing.
 */
export async function signedIn(
  c: PageContext,
  deps: Pick<WebDeps, "config" | "auth">,
  { fresh = false }: { fresh?: boolean } = {},
): Promise<SignedIn | undefined> {
  if (!c.req.header("cookie")?.includes("mrg.session_token=")) return undefined;
  const { status, body, retryAfter } = await requestAuth(
    c,
    deps,
    `/get-session${fresh ? "?disableCookieCache=true" : ""}`,
  );
  if (status === 429) {
    const message = "Too many requests come from your network. Wait a moment, then reload this page.";
    throw new AppError("unavailable", message, { headers: { "retry-after": String(retryAfter) } });
  }
  const user: unknown = body["user"];
  if (typeof user !== "object" || user === null) return undefined;
  const record = { ...user };
  const userId = textOf(record, "id");
  if (userId === undefined) return undefined;
  return { userId, name: textOf(record, "name") ?? "", email: textOf(record, "email") ?? "" };
}
