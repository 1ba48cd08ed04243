// A client library that speaks DPoP and the device grant, from discovery to a tool call.
import * as oauth from "oauth4webapi";
import { describe, expect, it } from "vitest";
import { decide, DEVICE_GRANT } from "../../support/device.ts";
import { origin, request } from "../../support/gateway.ts";
import { newPerson } from "../../support/oauth.ts";

/** The library's requests, sent to the Worker of this test. */
const options = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: (url: string, { method, headers, body }: Sent) =>
    request(url.slice(origin.length), { method, headers, body: isText(body) ? body : null }),
};

interface Sent {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
}

const isText = (body: unknown) => typeof body === "string" || body instanceof URLSearchParams;

describe("oauth4webapi", () => {
  it("R17: connects a device with tokens that are bound to its key, calls a tool and renews", async () => {
    const issuer = new URL(origin);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options });
    const server = await oauth.processDiscoveryResponse(issuer, discovered);
    const client = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        server,
        {
          client_name: "Television",
          grant_types: [DEVICE_GRANT, "refresh_token"],
          token_endpoint_auth_method: "none",
          dpop_bound_access_tokens: true,
        },
        options,
      ),
    );
    const DPoP = oauth.DPoP({}, await oauth.generateKeyPair("ES256"));
    const bound = { ...options, DPoP };

    const asked = await oauth.deviceAuthorizationRequest(server, client, oauth.None(), {}, options);
    const device = await oauth.processDeviceAuthorizationResponse(server, client, asked);
    await decide(device.user_code, await newPerson());
    const polled = await oauth.deviceCodeGrantRequest(server, client, oauth.None(), device.device_code, bound);
    const tokens = await oauth.processDeviceCodeResponse(server, client, polled);
    expect(tokens.token_type).toBe("dpop");

    const call = async (token: string) => {
      const headers = new Headers({ "content-type": "application/json", accept: "application/json" });
      const params = { name: "whoami", arguments: {} };
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
      const url = new URL(`${origin}/mcp`);
      const answer = await oauth.protectedResourceRequest(token, "POST", url, headers, body, bound);
      return answer.json<{ result?: { structuredContent?: unknown } }>();
    };
    const { result } = await call(tokens.access_token);
    expect(result?.structuredContent).toMatchObject({ credential: "access_token", clientId: client.client_id });

    const old = tokens.refresh_token ?? "";
    const refreshed = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), old, bound);
    const renewed = await oauth.processRefreshTokenResponse(server, client, refreshed);
    expect(await call(renewed.access_token)).toHaveProperty("result.structuredContent");
  });
});
