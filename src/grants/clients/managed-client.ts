import * as z from "zod";

/** How a client can authenticate (RFC 7591 §2, RFC 7523). */
export const AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] as const;

export type AuthMethod = (typeof AUTH_METHODS)[number];

export const hasSecret = (method: AuthMethod): boolean => method.startsWith("client_secret_");

/**
 * What the gateway stores in `oauth_client.metadata` about a client that an administrator created, where the framework
 * has no column.
 */
export interface ManagedRegistration {
  /**
   * The grant of the current registration. Access tokens carry it: the client's own as their grant, those for people in
   * addition. It is replaced, and the old one ended, when the client is disabled, loses a right or gets new
   * credentials.
   */
  grantId: string;
  /** The tenant that a token of the client itself acts in. */
  tenantId: string | null;
  /** Resources whose tokens the client may ask about (RFC 7662 §2.1), because it serves them. */
  resources: string[];
}

const metadata = z.object({
  managed: z.object({ grantId: z.string(), tenantId: z.string().nullable(), resources: z.array(z.string()) }),
});

/** The columns of a client's row that show who created it. */
interface ClientRow {
  clientDiscoveryId?: string | null | undefined;
  metadata?: unknown;
}

/**
 * The registration of a client that an administrator created; null for others. Self-registered clients cannot set
 * metadata.
 */
export function managedRegistration(client: ClientRow): ManagedRegistration | null {
  // A client with a metadata document writes that document itself, so its metadata proves nothing.
  if (client.clientDiscoveryId) return null;
  return metadata.safeParse(client.metadata).data?.managed ?? null;
}

/** The metadata column of a managed client. */
export const managedMetadata = ({ grantId, tenantId, resources }: ManagedRegistration): z.infer<typeof metadata> => ({
  managed: { grantId, tenantId, resources },
});

export const newClientGrant = (): string => `client-${crypto.randomUUID()}`;
