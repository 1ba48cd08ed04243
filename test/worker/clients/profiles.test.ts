// What the well-known clients send, as far as their sources, metadata documents and issue threads show it. Their applications are not
// part of these tests: a field that one of them changes shows up here only when somebody writes it down.
import { describe, expect, it } from "vitest";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, origin } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  gatewayWith,
  json,
  newPerson,
  redeem,
  refresh,
  register,
  type Tokens,
} from "../../support/oauth.ts";
import { outside } from "../../support/outside.ts";

const RESOURCE = `${origin}/mcp`;
const GRANTS = ["authorization_code", "refresh_token"];

interface Profile {
  client: string;
  registration: Record<string, unknown>;
  /** Where it waits for the code; a native app's port differs from the registered one. */
  redirectUri: string;
  scope?: string | undefined;
}

const PROFILES: Profile[] = [
  {
    client: "VS Code",
    registration: {
      client_name: "Visual Studio Code",
      client_uri: "https://code.visualstudio.com",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
      response_types: ["code"],
      redirect_uris: [
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
      ],
      token_endpoint_auth_method: "none",
      application_type: "native",
    },
    redirectUri: "http://127.0.0.1:33418/",
    scope: "mcp:tools",
  },
  {
    client: "VS Code on another port",
    registration: {
      client_name: "Visual Studio Code",
      grant_types: GRANTS,
      response_types: ["code"],
      redirect_uris: ["https://vscode.dev/redirect", "http://127.0.0.1/"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "http://127.0.0.1:51423/",
    scope: "mcp:tools offline_access",
  },
  {
    client: "Cursor",
    registration: {
      client_name: "Cursor",
      redirect_uris: ["cursor://anysphere.cursor-mcp/oauth/callback"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "cursor://anysphere.cursor-mcp/oauth/callback",
    scope: undefined,
  },
  {
    client: "Claude on the web",
    registration: {
      client_name: "Claude",
      redirect_uris: ["https://claude.ai/api/mcp/auth_callback"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: "mcp:tools",
    },
    redirectUri: "https://claude.ai/api/mcp/auth_callback",
    scope: "mcp:tools offline_access",
  },
  {
    client: "Claude Code",
    registration: {
      client_name: "Claude Code (gateway)",
      redirect_uris: ["http://localhost:52718/callback"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "http://localhost:52718/callback",
    scope: "mcp:tools",
  },
  {
    client: "ChatGPT",
    registration: {
      client_name: "ChatGPT",
      redirect_uris: ["https://chatgpt.com/connector_platform_oauth_redirect"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "https://chatgpt.com/connector_platform_oauth_redirect",
  },
  {
    client: "the Inspector",
    registration: {
      client_name: "MCP Inspector",
      client_uri: "https://github.com/modelcontextprotocol/inspector",
      redirect_uris: ["http://localhost:6274/oauth/callback"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "http://localhost:6274/oauth/callback",
  },
  {
    client: "mcp-remote",
    registration: {
      client_name: "MCP CLI Proxy",
      client_uri: "https://github.com/modelcontextprotocol/mcp-cli",
      software_id: "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
      software_version: "0.1.0",
      redirect_uris: ["http://127.0.0.1:3334/oauth/callback"],
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    },
    redirectUri: "http://127.0.0.1:18213/oauth/callback",
  },
];

/** Codes, tokens, a call, a refresh and a call, as a client does them once it has an id. */
async function expectConnected(
  clientId: string,
  redirectUri: string,
  scope: string | undefined,
  gateway = undefined as ReturnType<typeof gatewayWith> | undefined,
) {
  const browser = formBrowser(gateway);
  const path = authorizePath(clientId, { redirect_uri: redirectUri, scope, resource: RESOURCE });
  const answer = await authorize(browser, path, await newPerson());
  expect(answer.href.startsWith(redirectUri)).toBe(true);
  expect(answer.searchParams.get("iss")).toBe(origin);
  const changed = { redirect_uri: redirectUri, resource: RESOURCE };
  const redeemed = await redeem(clientId, answer.searchParams.get("code") ?? "", changed, gateway);
  const tokens = await redeemed.json<Tokens>();
  expect((await callTool("echo", { text: "x" }, { token: tokens.access_token })).status).toBe(200);
  const renewed = await (await refresh(clientId, tokens.refresh_token, { resource: RESOURCE }, gateway)).json<Tokens>();
  expect((await callTool("echo", { text: "x" }, { token: renewed.access_token })).status).toBe(200);
}

describe("a client that registers as", () => {
  it.each(PROFILES)(
    "R17 R21: $client does connects, calls a tool and stays connected",
    async ({ registration, redirectUri, scope }) => {
      const answer = await register(registration);
      expect(answer.status).toBe(201);
      const registered = await json(answer);
      expect(registered).toMatchObject({
        redirect_uris: registration["redirect_uris"],
        token_endpoint_auth_method: "none",
        client_id_issued_at: expect.any(Number),
      });
      expect(registered).not.toHaveProperty("client_secret");
      await expectConnected(String(registered["client_id"]), redirectUri, scope);
    },
  );
});

describe("a client that names its metadata document as", () => {
  it.each([
    [
      "Claude Code",
      "https://claude.ai/oauth/claude-code-client-metadata",
      "http://localhost:49817/callback",
      ["http://localhost/callback", "http://127.0.0.1/callback"],
    ],
    [
      "VS Code",
      "https://vscode.dev/oauth/client-metadata.json",
      "http://127.0.0.1:33418/",
      ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
    ],
  ])("R17 R21: %s does connects, calls a tool and stays connected", async (name, id, redirectUri, redirectUris) => {
    const document = {
      client_id: id,
      client_name: name,
      client_uri: new URL(id).origin,
      redirect_uris: redirectUris,
      grant_types: GRANTS,
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
    await outside({ [new URL(id).host]: () => Response.json(document) }, () =>
      expectConnected(id, redirectUri, undefined, gatewayWith({})),
    );
  });
});
