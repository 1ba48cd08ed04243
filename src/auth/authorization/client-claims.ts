import { APIError } from "better-auth/api";
import type { Db } from "../../platform/postgres/db.ts";
import { managedRegistration } from "../../grants/clients/managed-client.ts";
import { isTenant } from "../../grants/clients/managed-clients.ts";

type ClientRow = Parameters<typeof managedRegistration>[0];

/** Beside the grant of a person: the one that the client itself is, so that a client that ends takes its tokens along. */
export const clientGrantClaim = (client: ClientRow): { client_grant?: string } => {
  const managed = managedRegistration(client);
  return managed ? { client_grant: managed.grantId } : {};
};

/**
 * Claims of a token for a client's own account (RFC 6749 §4.4): the grant that its registration is, and the tenant in which an
 * administrator lets it act. Throws `unauthorized_client` when nobody does, or the tenant is gone.
 */
export async function machineClaims(
  db: Pick<Db, "execute">,
  client: ClientRow,
): Promise<{ grant: string; tenant: string }> {
  const managed = managedRegistration(client);
  if (!managed || managed.tenantId === null || !(await isTenant(db, managed.tenantId))) throw noAccount();
  return { grant: managed.grantId, tenant: managed.tenantId };
}

const noAccount = () =>
  new APIError("BAD_REQUEST", {
    error: "unauthorized_client",
    error_description: "This client has no account of its own on this gateway.",
  });
