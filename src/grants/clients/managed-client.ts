import * as z from "zod";

/** How a client can prove who it is (RFC 7591 §2, RFC 7523). */
export const AUTH_METHODS = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] as const;

export type AuthMethod = (typeof AUTH_METHODS)[number];

export const hasSecret = (method: AuthMethod): boolean => method.startsWith("client_secret_");

/**
 * What the gateway keeps of a client that an administrator has made and the framework has no column for, in `oauth_client.metadata`.
 */
export interface ManagedRegistration {
  /**
   * Names what the registration as it stands gives out. Access tokens carry it: those of the client itself as their grant, those for people
   * beside it. It is replaced, and the old one ended, when the client is disabled, loses a right, or gets other credentials.
   */
  grantId: string;
  /** Where a token of the client itself acts. */
  tenantId: string | null;
  /** Resources whose tokens the client may ask about (RFC 7662 §2.1), because it serves them. */
  resources: string[];
}

const metadata = z.object({
  managed: z.object({ grantId: z.string(), tenantId: z.string().nullable(), resources: z.array(z.string()) }),
});

/** A client's row, as far as it tells who made it. */
interface ClientRow {
  clientDiscoveryId?: string | null | undefined;
  metadata?: unknown;
}

/** The registration of a client that an administrator has made; null for all others. Registrations of strangers set no metadata. */
export function managedRegistration(client: ClientRow): ManagedRegistration | null {
  // A client that describes itself in a document of its own may write there what it likes.
  if (client.clientDiscoveryId) return null;
  return metadata.safeParse(client.metadata).data?.managed ?? null;
}

/** The metadata column of a managed client. */
export const managedMetadata = ({ grantId, tenantId, resources }: ManagedRegistration): z.infer<typeof metadata> => ({
  managed: { grantId, tenantId, resources },
});

export const newClientGrant = (): string => `client-${crypto.randomUUID()}`;
