/** Where the framework tells our own endpoints which client a request comes from; no address of the gateway. */
export const AUTHENTICATE_CLIENT_PATH = "/oauth2/authenticate-client";

/** A client that has proved who it is, and what it may ask about. */
export interface AuthenticatedClient {
  clientId: string;
  /** Resources that an administrator has made it responsible for, and with them their tokens. */
  resources: string[];
  /** The tenant that an administrator has put it in. */
  tenantId: string | null;
}
