import { and, eq, ne } from "drizzle-orm";
import { redeemApproved, REDEEMED } from "../../grants/device/codes.ts";
import * as schema from "../../identity/schema.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { currentTokenRequest } from "./token-request.ts";

/** Looks up a polled device code, which is stored hashed; null when there is none or it was redeemed. */
export async function polledDevice(db: Pick<Db, "select">, deviceCode: string): Promise<object | null> {
  const { deviceCode: table, oauthClient, user } = schema;
  const [found] = await db
    .select({ device: table, client: oauthClient, user })
    .from(table)
    .leftJoin(oauthClient, eq(oauthClient.clientId, table.oauthClientId))
    .leftJoin(user, eq(user.id, table.userId))
    .where(and(eq(table.deviceCode, await sha256(deviceCode)), ne(table.status, REDEEMED)))
    .limit(1);
  if (!found) return null;
  const { device, client } = found;
  const rows = currentTokenRequest()?.rows;
  if (client) rows?.set(`oauthClient:${client.clientId}`, client);
  if (found.user) rows?.set(`user:${found.user.id}`, found.user);
  // The person who approved it no longer exists.
  return device.status === "approved" && !found.user ? { ...device, status: "denied" } : device;
}

/**
 * Redeems an approved device code; of concurrent requests one gets it. The approval is stored with the token request;
 * outside of a token request nothing is redeemed.
 */
export async function redeemDevice(db: Pick<Db, "update">, id: string, clientId: string): Promise<object | null> {
  const request = currentTokenRequest();
  if (request?.redemption === undefined) return null;
  const device = await redeemApproved(db, { id, clientId, redemption: request.redemption });
  if (device) request.approval = { grantId: device.deviceCode, reference: device.referenceId };
  return device;
}
