import { APIError } from "better-auth/api";
import type { Db } from "../../platform/postgres/db.ts";
import { managedRegistration } from "../../grants/clients/managed-client.ts";
import { isTenant } from "../../grants/clients/managed-clients.ts";

type ClientRow = Parameters<typeof managedRegistration>[0];

/**
 * The claim with the grant of the client itself, beside that of the person. When the client ends, its tokens end with
 * that grant.
 */
export const clientGrantClaim = (client: ClientRow): { client_grant?: string } => {
  const managed = managedRegistration(client);
  return managed ? { client_grant: managed.grantId } : {};
};

/**
 * Claims of a token for the client itself (RFC 6749 §4.4): the grant of its registration, and the tenant that an
 * administrator lets it act in. Throws `unauthorized_client` when it has no such tenant or the tenant does not exist.
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
    error_description: "This client cannot act for itself on this gateway. Ask an administrator to allow it.",
  });
