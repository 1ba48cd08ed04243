/** Where the framework tells our own endpoints which client a request comes from; no address of the gateway. */
export const AUTHENTICATE_CLIENT_PATH = "/oauth2/authenticate-client";

/** A client that has proved who it is, and the resources whose tokens it may ask about. */
export interface AuthenticatedClient {
  clientId: string;
  resources: string[];
}
