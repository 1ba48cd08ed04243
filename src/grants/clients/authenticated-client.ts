/**
 * The framework endpoint that tells our own endpoints which client a request is from. It is not reachable from outside.
 */
export const AUTHENTICATE_CLIENT_PATH = "/oauth2/authenticate-client";

/** A client that has authenticated, and the tokens that it may ask about. */
export interface AuthenticatedClient {
  clientId: string;
  /** Resources that an administrator made it responsible for. It may ask about their tokens. */
  resources: string[];
  /** The tenant that an administrator assigned to it. */
  tenantId: string | null;
}
