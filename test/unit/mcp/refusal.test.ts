import { describe, expect, it } from "vitest";
import { refusalResponse, type Refusal } from "../../../src/mcp/refusal.ts";

const METADATA = "https://gateway.example.com/.well-known/oauth-protected-resource/mcp";
const HOSTILE = `text with "quotes", \\ and , commas`;

/** One of each kind: a new kind does not compile until it stands here. */
const EACH: { [K in Refusal["kind"]]: { refusal: Extract<Refusal, { kind: K }>; status: number; code: number } } = {
  no_credential: { refusal: { kind: "no_credential" }, status: 401, code: 401 },
  several_credentials: { refusal: { kind: "several_credentials" }, status: 400, code: -32600 },
  credential_in_url: { refusal: { kind: "credential_in_url" }, status: 401, code: 401 },
  invalid_credential: {
    refusal: { kind: "invalid_credential", reason: HOSTILE, presented: "api_key" },
    status: 401,
    code: 401,
  },
  malformed_credential: {
    refusal: { kind: "malformed_credential", problem: "Send the API key without quotation marks." },
    status: 401,
    code: 401,
  },
  wrong_token_scheme: { refusal: { kind: "wrong_token_scheme", presented: "Bearer" }, status: 401, code: 401 },
  invalid_dpop_proof: {
    refusal: { kind: "invalid_dpop_proof", problem: "The proof needs a jti." },
    status: 401,
    code: 401,
  },
  insufficient_scope: {
    refusal: { kind: "insufficient_scope", required: ["mcp:tools", "admin"] },
    status: 403,
    code: 403,
  },
  not_administrator: { refusal: { kind: "not_administrator" }, status: 403, code: 403 },
  address_not_allowed: { refusal: { kind: "address_not_allowed" }, status: 403, code: 403 },
  not_on_list: { refusal: { kind: "not_on_list" }, status: 200, code: -32602 },
  quota_exceeded: {
    refusal: {
      kind: "quota_exceeded",
      quota: { max: 10, period: "2027-01", used: 10, endsAt: 1_801_440_000_000 },
      retryMs: 90_500,
    },
    status: 429,
    code: 429,
  },
  rate_limited: {
    refusal: {
      kind: "rate_limited",
      tier: "tenant",
      retryMs: 1_500,
      limits: [{ tier: "tenant", limit: { perMinute: 60, burst: 10 }, remaining: 0 }],
    },
    status: 429,
    code: 429,
  },
  foreign_origin: { refusal: { kind: "foreign_origin" }, status: 403, code: -32600 },
  method_not_allowed: { refusal: { kind: "method_not_allowed" }, status: 405, code: -32600 },
  too_large: { refusal: { kind: "too_large", limitBytes: 9 }, status: 413, code: -32600 },
  unsupported_media_type: { refusal: { kind: "unsupported_media_type" }, status: 415, code: -32600 },
  malformed_json: { refusal: { kind: "malformed_json" }, status: 400, code: -32700 },
  not_a_single_message: { refusal: { kind: "not_a_single_message" }, status: 400, code: -32600 },
  unknown_tool: { refusal: { kind: "unknown_tool", name: "nothing" }, status: 200, code: -32602 },
  unknown_server: { refusal: { kind: "unknown_server" }, status: 200, code: -32602 },
  upstream_unavailable: {
    refusal: { kind: "upstream_unavailable", message: "It is away.", slug: "notes" },
    status: 200,
    code: -32603,
  },
  unavailable: { refusal: { kind: "unavailable" }, status: 503, code: -32603 },
  internal: { refusal: { kind: "internal" }, status: 500, code: -32603 },
};
const CASES = Object.values(EACH) as { refusal: Refusal; status: number; code: number }[];

interface Body {
  jsonrpc: string;
  id: unknown;
  error: { code: number; message: string; data: Record<string, unknown> };
}

const answer = (refusal: Refusal, id: string | number | null = 7) =>
  refusalResponse(refusal, { id, requestId: "req-1", resourceMetadata: METADATA });

/** The parameters of a challenge; fails on anything that RFC 9110 §11.6.1 would not let a client read. */
function challengeOf(response: Response): Record<string, string> | undefined {
  const header = response.headers.get("www-authenticate");
  if (header === null) return undefined;
  expect(header).toMatch(/^(Bearer|DPoP) ([a-z_]+="[^"\\]*")(, [a-z_]+="[^"\\]*")*$/);
  return Object.fromEntries([...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}

describe.each(CASES)("the refusal $refusal.kind", ({ refusal, status, code }) => {
  it("is a JSON-RPC error with a stable code, under its own status, never cached", async () => {
    const response = answer(refusal);
    expect(response.status).toBe(status);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-type")).toBe("application/json");
    const body = await response.json<Body>();
    expect(body).toMatchObject({
      jsonrpc: "2.0",
      id: 7,
      error: { code, data: { code: refusal.kind, requestId: "req-1" } },
    });
    expect(body.error.message).toMatch(/^[A-Z].*(\.|: nothing)$/);
    expect(Object.keys(body)).toEqual(["jsonrpc", "error", "id"]);
  });

  it("has a challenge that can be read, where one is due", () => {
    const challenge = challengeOf(answer(refusal));
    const due = [
      "no_credential",
      "several_credentials",
      "credential_in_url",
      "invalid_credential",
      "malformed_credential",
      "wrong_token_scheme",
      "invalid_dpop_proof",
      "insufficient_scope",
    ];
    expect(challenge !== undefined).toBe(due.includes(refusal.kind));
    expect(challenge?.["resource_metadata"] ?? METADATA).toBe(METADATA);
  });

  it("repeats nothing of what the log alone may know", async () => {
    const response = answer(refusal);
    const everything = (await response.text()) + JSON.stringify([...response.headers]);
    expect(everything).not.toContain("quotes");
  });

  it("answers the request that was asked, or none that is known", async () => {
    expect((await answer(refusal, "a").json<Body>()).id).toBe("a");
    expect((await answer(refusal, 0).json<Body>()).id).toBe(0);
    expect((await answer(refusal, null).json<Body>()).id).toBeNull();
  });
});

describe("K02: a first visit without a credential", () => {
  it("K02: is told where to sign in and which scopes to ask for, and of no error", () => {
    expect(challengeOf(answer({ kind: "no_credential" }))).toEqual({ scope: "mcp:tools", resource_metadata: METADATA });
  });
});

describe("K03: a credential that is not good", () => {
  it.each(["access_token", "api_key"] as const)("K03: is an invalid token: %s", (presented) => {
    const challenge = challengeOf(answer({ kind: "invalid_credential", reason: "expired", presented }));
    expect(challenge).toMatchObject({ error: "invalid_token", scope: "mcp:tools", resource_metadata: METADATA });
  });

  it.each<[Refusal, string]>([
    [{ kind: "wrong_token_scheme", presented: "Bearer" }, "invalid_token"],
    [{ kind: "wrong_token_scheme", presented: "DPoP" }, "invalid_token"],
    [{ kind: "invalid_credential", reason: "x", presented: "access_token", scheme: "DPoP" }, "invalid_token"],
    [{ kind: "invalid_dpop_proof", problem: "The proof needs a jti." }, "invalid_dpop_proof"],
  ])("K03: is challenged for a proof where one is due: %j", (refusal, error) => {
    expect(answer(refusal).headers.get("www-authenticate")).toBe(
      `DPoP error="${error}", algs="ES256 EdDSA", resource_metadata="${METADATA}"`,
    );
  });

  it("J07: reads the same whatever was wrong with the key", async () => {
    const texts = ["unknown key", "key 1 is disabled", "key 1 has expired", "wrong form or checksum"].map((reason) =>
      answer({ kind: "invalid_credential", reason, presented: "api_key" }).text(),
    );
    expect(new Set(await Promise.all(texts)).size).toBe(1);
  });

  it("K03: that lacks scopes is told all that are needed", async () => {
    const response = answer({ kind: "insufficient_scope", required: ["mcp:tools", "admin"] });
    expect(challengeOf(response)).toMatchObject({ error: "insufficient_scope", scope: "mcp:tools admin" });
    expect((await response.json<Body>()).error.data["requiredScopes"]).toEqual(["mcp:tools", "admin"]);
  });

  it("J04: that came with another is an invalid request", () => {
    expect(challengeOf(answer({ kind: "several_credentials" }))).toMatchObject({ error: "invalid_request" });
  });
});

describe("R10: a call that is over a limit", () => {
  const limits = EACH.rate_limited.refusal.limits;
  const limited = (retryMs: number, tier: "tool" | "address" = "tool") =>
    answer({ kind: "rate_limited", tier, retryMs, limits });

  it("R10: is told which limit, in headers and in words that an agent can act on", async () => {
    const response = answer(EACH.rate_limited.refusal);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(response.headers.get("ratelimit")).toBe('"tenant";r=0;t=10');
    expect(response.headers.get("ratelimit-policy")).toBe('"tenant";q=10;w=10');
    const { error } = await response.json<Body>();
    expect(error.message).toBe("Too many requests: the limit on the tenant's calls is reached. Try again in 2 s.");
    expect(error.data).toEqual({ code: "rate_limited", requestId: "req-1", tier: "tenant", retryAfterSeconds: 2 });
  });

  it.each([
    [1, "1"],
    [999, "1"],
    [1_000, "1"],
    [1_001, "2"],
    [60_000, "60"],
  ])("R10: is never told to come back too early, nor at once: %i ms are %s s", (retryMs, seconds) => {
    expect(limited(retryMs).headers.get("retry-after")).toBe(seconds);
  });

  it("R10: is told of its address when it is nobody yet", async () => {
    expect((await limited(1_000, "address").json<Body>()).error.message).toContain("requests from your address");
  });

  it("says when a quota starts again, or whom to ask", async () => {
    const monthly = answer(EACH.quota_exceeded.refusal);
    const { error } = await monthly.json<Body>();
    expect(error.message).toContain(new Date(1_801_440_000_000).toISOString());
    expect(monthly.headers.get("retry-after")).toBe("91");
    const total = { ...EACH.quota_exceeded.refusal.quota, period: "total", endsAt: null };
    expect(
      (await answer({ kind: "quota_exceeded", quota: total, retryMs: null }).json<Body>()).error.message,
    ).toContain("Ask its owner");
  });

  it("L14: says the same of a server and of a tool that are not on the list", async () => {
    const { error } = await answer({ kind: "not_on_list" }).json<Body>();
    expect(error.data).toEqual({ code: "not_on_list", requestId: "req-1" });
    expect(error.message).toMatch(/^Unknown tool or server/);
  });
});

describe("a refusal that passes", () => {
  it("says when to try again", async () => {
    const response = answer({ kind: "unavailable" });
    expect(response.headers.get("retry-after")).toBe("2");
    expect((await response.json<Body>()).error.data["retryAfterSeconds"]).toBe(2);
  });

  it("names the server that is away", async () => {
    const { error } = await answer(EACH.upstream_unavailable.refusal).json<Body>();
    expect(error.message).toBe("It is away.");
    expect(error.data).toMatchObject({ server: "notes", retryAfterSeconds: 2 });
  });

  it("K06: names the methods that are served", () => {
    expect(answer({ kind: "method_not_allowed" }).headers.get("allow")).toBe("POST, OPTIONS");
  });

  it("names the limit", async () => {
    expect((await answer(EACH.too_large.refusal).json<Body>()).error.message).toContain("9 bytes");
  });
});
