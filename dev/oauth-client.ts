import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from "@modelcontextprotocol/client";

/**
 * An MCP client's OAuth state in memory, for the demo and the tests. It registers itself and keeps what it is given.
 */
export interface MemoryOAuthClient extends OAuthClientProvider {
  /** The authorization URL to which the SDK sends the user. */
  authorizationUrl: () => URL;
  current: () => StoredOAuthTokens | undefined;
}

export function memoryOAuthClient(options: { name: string; redirectUrl: string }): MemoryOAuthClient {
  let client: StoredOAuthClientInformation | undefined;
  let tokens: StoredOAuthTokens | undefined;
  let verifier = "";
  let authorizationUrl: URL | undefined;
  let discovery: OAuthDiscoveryState | undefined;
  const state = crypto.randomUUID();
  return {
    redirectUrl: options.redirectUrl,
    clientMetadata: {
      client_name: options.name,
      redirect_uris: [options.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    state: () => state,
    clientInformation: () => client,
    saveClientInformation: (information) => void (client = information),
    tokens: () => tokens,
    saveTokens: (granted) => void (tokens = granted),
    redirectToAuthorization: (url) => void (authorizationUrl = url),
    saveCodeVerifier: (text) => void (verifier = text),
    codeVerifier: () => verifier,
    saveDiscoveryState: (found) => void (discovery = found),
    discoveryState: () => discovery,
    authorizationUrl: () => {
      if (!authorizationUrl) throw new Error("the client was not sent to sign in");
      return authorizationUrl;
    },
    current: () => tokens,
  };
}
