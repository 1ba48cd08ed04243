import { describe, expect, it } from "vitest";
import { compatibleRegistration } from "../../../src/oauth/registration.ts";
import type { RegistrationPolicy } from "../../../src/platform/settings.ts";

const OPEN: RegistrationPolicy = { kind: "open" };
const HOSTS: RegistrationPolicy = { kind: "hosts", hosts: ["app.example.com"] };
const CURSOR = "cursor://anysphere.cursor-mcp/oauth/user-notes/callback";
const WEB = "https://app.example.com/callback";

/** What a public client that says nothing of it is made for. */
const SILENT = { token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"] };

const register = (request: Record<string, unknown>, policy: RegistrationPolicy = OPEN) =>
  compatibleRegistration(request, policy);

/** The registration as it goes on to Better Auth; fails when it is refused. */
function accepted(request: Record<string, unknown>, policy: RegistrationPolicy = OPEN) {
  const registration = register(request, policy);
  if ("error" in registration) throw new Error(registration.description);
  return registration;
}

describe("a registration of a web client", () => {
  it("goes on as it is, as a public client unless it says otherwise", () => {
    expect(accepted({ redirect_uris: [WEB], client_name: "App" })).toEqual({
      body: { redirect_uris: [WEB], client_name: "App", ...SILENT },
      redirectUris: undefined,
    });
    expect(accepted({ redirect_uris: [WEB], token_endpoint_auth_method: "client_secret_basic" }).body).toMatchObject({
      token_endpoint_auth_method: "client_secret_basic",
    });
  });

  it("is made for refreshing, too, unless it says what it is made for", () => {
    expect(accepted({ redirect_uris: [WEB] }).body["grant_types"]).toEqual(["authorization_code", "refresh_token"]);
    for (const types of [["authorization_code"], ["client_credentials"], "refresh_token"])
      expect(accepted({ redirect_uris: [WEB], grant_types: types }).body["grant_types"]).toEqual(types);
  });

  it.each(
    ["scope", "contacts", "software_id", "response_types", "application_type", "grant_types", "client_name"].flatMap(
      (field) => [null, "", []].map((value) => ({ field, value })),
    ),
  )("says nothing by $field: $value", ({ field, value }) => {
    expect(accepted({ redirect_uris: [WEB], [field]: value })).toEqual(accepted({ redirect_uris: [WEB] }));
  });

  it.each(["com.example.app:/callback", "http://127.0.0.1:3000/cb", "warp://mcp/oauth2callback"])(
    "to %s is of a native application, which need not say so",
    (uri) => {
      expect(accepted({ redirect_uris: [uri] }).body["application_type"]).toBe("native");
      expect(accepted({ redirect_uris: [uri], application_type: "web" }).body["application_type"]).toBe("web");
    },
  );

  it.each([
    "vscodium://vscode.github-authentication/did-authenticate",
    "warp://mcp/oauth2callback",
    "zed://mcp/callback",
    "raycast://oauth?package_name=Extension",
  ])("may be sent to %s", (uri) => {
    expect(accepted({ redirect_uris: [uri] }).redirectUris).toEqual([uri]);
  });

  it("keeps the fields of RFC 7591 that a stranger may set", () => {
    const request = {
      redirect_uris: [WEB],
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      client_name: "App",
      client_uri: "https://app.example.com",
      logo_uri: "https://app.example.com/logo.png",
      scope: "openid mcp:tools",
      contacts: ["ops@example.com"],
      tos_uri: "https://app.example.com/tos",
      policy_uri: "https://app.example.com/policy",
      software_id: "app",
      software_version: "1",
      application_type: "web",
      dpop_bound_access_tokens: true,
    };
    expect(accepted(request).body).toEqual(request);
  });

  it("does not change what it was given", () => {
    const request = Object.freeze({ redirect_uris: Object.freeze([CURSOR, WEB]) });
    accepted(request);
    expect(request).toEqual({ redirect_uris: [CURSOR, WEB] });
  });
});

describe("D08: fields that would give a client more", () => {
  it.each([
    ["skip_consent", true],
    ["skipConsent", true],
    ["trusted", true],
    ["first_party", true],
    ["enable_end_session", true],
    ["require_pkce", false],
    ["disabled", false],
    ["user_id", "user-1"],
    ["userId", "user-1"],
    ["reference_id", "personal-user-1"],
    ["client_id", "mine"],
    ["client_secret", "known"],
    ["client_secret_expires_at", 0],
    ["client_id_issued_at", 1],
    ["client_credentials_scopes", ["admin"]],
    ["metadata", { plan: "x".repeat(1000) }],
    ["jwks", { keys: [] }],
    ["jwks_uri", "https://evil.example/jwks"],
    ["software_statement", "eyJhbGciOiJub25lIn0.e30."],
    ["post_logout_redirect_uris", ["https://evil.example"]],
    ["sector_identifier_uri", "https://evil.example"],
    ["subject_type", "pairwise"],
    ["initiate_login_uri", "https://evil.example"],
    ["constructor", "x"],
  ])("D08: are dropped: %s", (field, value) => {
    expect(accepted({ redirect_uris: [WEB], [field]: value }).body).toEqual(accepted({ redirect_uris: [WEB] }).body);
  });

  it("B07: include consent given in advance, in any registration", () => {
    const { body } = accepted({ redirect_uris: [CURSOR], skip_consent: true, trusted: true });
    expect(body).toEqual({ redirect_uris: expect.any(Array), ...SILENT, application_type: "native" });
  });

  it("D08: do not come by way of a prototype", () => {
    const request = Object.create({ scope: "admin", contacts: ["eve@evil.example"] }) as Record<string, unknown>;
    request["redirect_uris"] = [WEB];
    expect(accepted(request)).toEqual(accepted({ redirect_uris: [WEB] }));
    const { body } = accepted(JSON.parse(`{"redirect_uris":["${WEB}"],"__proto__":{"scope":"admin","trusted":true}}`));
    expect(body["scope"]).toBeUndefined();
    expect(body["trusted"]).toBeUndefined();
    expect(Object.getPrototypeOf(body)).toBe(Object.prototype);
  });
});

describe("a link of a registration", () => {
  it.each([
    "javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "//evil.example",
    "",
    7,
    null,
  ])("P05: that is no web page is left out: %j", (link) => {
    for (const field of ["client_uri", "logo_uri", "tos_uri", "policy_uri"]) {
      expect(accepted({ redirect_uris: [WEB], [field]: link }).body).not.toHaveProperty(field);
    }
  });
});

describe("a registration of a client on a person's machine", () => {
  it.each([
    "http://localhost/callback",
    "http://127.0.0.1:49152/cb",
    "http://[::1]:3000/cb",
    "http://localhost",
    "http://127.0.0.1?x=1",
  ])("F02: is native when it does not say what it is: %s", (uri) => {
    expect(accepted({ redirect_uris: [uri] })).toEqual({
      body: { redirect_uris: [uri], ...SILENT, application_type: "native" },
      redirectUris: undefined,
    });
    expect(accepted({ redirect_uris: [WEB, uri] }).body["application_type"]).toBe("native");
  });

  it("D05: stays what it says it is", () => {
    expect(accepted({ redirect_uris: ["http://localhost/cb"], application_type: "web" }).body["application_type"]).toBe(
      "web",
    );
    expect(accepted({ redirect_uris: [CURSOR], application_type: "web" }).body["application_type"]).toBe("web");
  });

  it.each([
    "http://app.example.com/callback",
    "https://localhost/callback",
    "http://localhost./cb",
    "http://localhost.evil.example/",
    "http://localhost:80@evil.example/",
    "http://localhost@evil.example/",
    "http://127.0.0.1.evil.example/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://127.0.0.2/",
    "http://localhost:123456/",
    "HTTP://evil.example/http://localhost/",
    " http://localhost/",
  ])("D05: is not made native by %s, which stays for Better Auth to judge", (uri) => {
    expect(accepted({ redirect_uris: [uri] })).toEqual({
      body: { redirect_uris: [uri], ...SILENT },
      redirectUris: undefined,
    });
  });
});

describe("a registration of an editor", () => {
  it.each([
    CURSOR,
    "cursor://anysphere.cursor-retrieval/oauth/callback",
    "vscode://vscode.github-authentication/did-authenticate",
    "vscode-insiders://vscode.github-authentication/did-authenticate",
    "windsurf://codeium.windsurf/oauth/callback",
  ])("passes its check in the shape of another address, and is set back: %s", (uri) => {
    expect(accepted({ redirect_uris: [uri] })).toEqual({
      body: {
        redirect_uris: ["com.example.placeholder:/callback"],
        ...SILENT,
        application_type: "native",
      },
      redirectUris: [uri],
    });
  });

  it("has its other addresses checked, and all set back in their order", () => {
    const uris = ["http://localhost:3000/cb", CURSOR, WEB];
    const { body, redirectUris } = accepted({ redirect_uris: uris });
    expect(body["redirect_uris"]).toEqual(["http://localhost:3000/cb", WEB]);
    expect(redirectUris).toEqual(uris);
  });
});

describe("D02: a dangerous redirect URI", () => {
  const DANGEROUS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,<script>x</script>",
    "vbscript:x",
    "blob:https://app.example.com/1",
    "file:///etc/passwd",
    "mailto:eve@evil.example",
    "about:blank",
    "foo:/cb",
    "com.x://host",
    "cursor://evil.example/oauth/callback",
    "cursor://anysphere.cursor-mcp/other",
    "cursor://anysphere.cursor-mcp.evil.example/oauth/callback",
    "cursor://anysphereXcursor-mcp/oauth/callback",
    "cursor://user@anysphere.cursor-mcp/oauth/callback",
    "Cursor://anysphere.cursor-mcp/oauth/callback",
    "cursor://anysphere.cursor-mcp/oauth/callback?next=x",
    "cursor://anysphere.cursor-mcp/oauth/callback#x",
    "cursor://anysphere.cursor-mcp/oauth/call back",
    "cursor://anysphere.cursor-mcp/oauth/callback\njavascript:alert(1)",
    "javascript:alert(1)//\ncursor://anysphere.cursor-mcp/oauth/callback",
    `cursor://anysphere.cursor-mcp/oauth/${"a".repeat(201)}`,
    "vscode://",
    "vscode:///did-authenticate",
    "vscode://vscode.github-authentication",
    "vscode://evil@host/x",
    "vscode://host:80/x",
    "vscode://host/<script>",
    "vscodiumx://host/x",
    "xvscode://host/x",
    "windsurf:host/x",
  ];

  it.each(DANGEROUS)("D02: is not taken for an editor's, and reaches Better Auth's check as it is: %j", (uri) => {
    const { body, redirectUris } = accepted({ redirect_uris: [uri] });
    expect(body["redirect_uris"]).toEqual([uri]);
    expect(body["application_type"]).toBeUndefined();
    expect(redirectUris).toBeUndefined();
  });

  it.each(DANGEROUS)("D02: does not hide behind an editor's: %j", (uri) => {
    expect(accepted({ redirect_uris: [CURSOR, uri] }).body["redirect_uris"]).toEqual([uri]);
    expect(accepted({ redirect_uris: [uri, CURSOR] }).body["redirect_uris"]).toEqual([uri]);
  });
});

describe("a list of redirect URIs that is none", () => {
  it.each([undefined, null, "https://app.example.com/cb", {}, [], [7], [WEB, null], [[WEB]], { 0: WEB, length: 1 }])(
    "is refused: %j",
    (uris) => {
      expect(register({ redirect_uris: uris })).toEqual({
        error: "invalid_redirect_uri",
        description: "redirect_uris must be a list of at least one URI.",
      });
    },
  );

  it("has at most 20", () => {
    const uris = (count: number) => Array.from({ length: count }, (_, i) => `${WEB}/${i}`);
    expect(accepted({ redirect_uris: uris(20) }).body["redirect_uris"]).toHaveLength(20);
    expect(register({ redirect_uris: uris(21) })).toEqual({
      error: "invalid_redirect_uri",
      description: "Send at most 20 redirect_uris.",
    });
  });
});

describe("a registration for devices (RFC 8628)", () => {
  const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";

  it.each([{}, { redirect_uris: [] }, { redirect_uris: null }])("needs no redirect URIs: %j", (uris) => {
    expect(accepted({ grant_types: [DEVICE, "refresh_token"], ...uris })).toEqual({
      body: { grant_types: [DEVICE, "refresh_token"], token_endpoint_auth_method: "none" },
      redirectUris: undefined,
    });
  });

  it("needs some when it is for codes, too, and has those that it names checked", () => {
    expect(register({ grant_types: [DEVICE, "authorization_code"] })).toMatchObject({ error: "invalid_redirect_uri" });
    const both = accepted({ grant_types: [DEVICE, "authorization_code"], redirect_uris: ["http://localhost/cb"] });
    expect(both.body).toMatchObject({ application_type: "native", redirect_uris: ["http://localhost/cb"] });
    expect(register({ grant_types: [DEVICE], redirect_uris: [7] })).toMatchObject({ error: "invalid_redirect_uri" });
  });

  it("is an administrator's to make where only certain hosts can register: a device is at none", () => {
    for (const fields of [{}, { redirect_uris: [WEB] }])
      expect(register({ grant_types: [DEVICE], ...fields }, HOSTS)).toMatchObject({ error: "invalid_client_metadata" });
  });
});

describe("a gateway for clients of certain hosts", () => {
  it.each([
    [[WEB]],
    [["https://app.example.com:8443/cb"]],
    [["https://APP.example.com/cb"]],
    [["http://localhost:3000/cb"]],
    [[CURSOR]],
    [[WEB, "http://127.0.0.1/cb", CURSOR]],
  ])("registers %j", (uris) => {
    expect(register({ redirect_uris: uris }, HOSTS)).toHaveProperty("body");
  });

  it.each([
    [["https://evil.example/cb"]],
    [[WEB, "https://evil.example/cb"]],
    [["https://evil.example/cb", CURSOR]],
    [["https://sub.app.example.com/cb"]],
    [["https://app.example.com.evil.example/cb"]],
    [["https://app.example.com@evil.example/cb"]],
    [["https://evil.example/?x=app.example.com"]],
    [["http://app.example.com/cb"]],
    [["https://app.example.com./cb"]],
    [["com.example.app:/cb"]],
    [["javascript://app.example.com/%0aalert(1)"]],
    [["http://localhost@evil.example/"]],
    [["not a url"]],
  ])("does not register %j", (uris) => {
    expect(register({ redirect_uris: uris }, HOSTS)).toMatchObject({
      error: "invalid_redirect_uri",
      description: "This gateway registers clients of certain hosts only. Ask its administrator.",
    });
  });
});
