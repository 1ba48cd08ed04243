import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  configOf,
  DEVELOPMENT,
  problemNames,
  problemsOf,
  PRODUCTION,
  SEALING_KEY,
  SECRETS,
  without,
} from "./environment.ts";

const REQUIRED = [
  "BASE_URL",
  "DATABASE_URL",
  "UPSTASH_REDIS_REST_URL",
  "UPSTASH_REDIS_REST_TOKEN",
  "BETTER_AUTH_SECRETS",
  "SEALING_KEYS",
];

describe("R3: defaults", () => {
  it("R3: fill in every setting that a production deployment may leave out", () => {
    expect(configOf(PRODUCTION)).toEqual({
      ENVIRONMENT: "production",
      BASE_URL: "https://gateway.example.com",
      DATABASE_URL: "postgresql://app:pw@db.example.com/gateway",
      DATABASE_READ_URL: "postgresql://app:pw@db.example.com/gateway",
      DATABASE_ANALYTICS_URL: "postgresql://app:pw@db.example.com/gateway",
      UPSTASH_REDIS_REST_URL: "https://redis.example.com",
      UPSTASH_REDIS_REST_TOKEN: "token",
      REDIS_TIMEOUT_MS: 250,
      BETTER_AUTH_SECRETS: [SECRETS.base64url],
      SEALING_KEYS: [{ id: "k1", key: SEALING_KEY }],
      ADMIN_EMAILS: [],
      SIGN_UP: { kind: "invite" },
      CLIENT_REGISTRATION: { kind: "open" },
      ALLOWED_ORIGINS: [],
      ACCESS_TOKEN_TTL: 900,
      REFRESH_TOKEN_TTL: 2_592_000,
      CODE_TTL: 300,
      LOGIN_PAGE: "/sign-in",
      REQUIRE_PKCE: true,
      RESEND_API_KEY: "re_123",
      MAIL_FROM: "gateway@example.com",
      LEGACY_KEYS: "accept",
      LIMITS: {},
      OUTBOUND_ALLOW: [],
    });
  });

  it("R3: open sign-up in development and need no mail account there", () => {
    const config = configOf(DEVELOPMENT);
    expect(config.SIGN_UP).toEqual({ kind: "open" });
    expect(config.RESEND_API_KEY).toBeUndefined();
  });

  it("R3: give way to what is set", () => {
    const given = {
      DATABASE_READ_URL: "postgres://app:pw@replica.example.com/gateway",
      DATABASE_ANALYTICS_URL: "postgres://app:pw@analytics.example.com/gateway",
      SIGN_UP: "domains:example.com",
      REDIS_TIMEOUT_MS: "100",
      ACCESS_TOKEN_TTL: "60",
      REFRESH_TOKEN_TTL: "3600",
      CODE_TTL: "30",
      LOGIN_PAGE: "/login",
      SCOPES: "openid, mcp:tools  email",
      REQUIRE_PKCE: "false",
      LEGACY_KEYS: "off",
    };
    expect(configOf({ ...PRODUCTION, ...given })).toMatchObject({
      ...given,
      SIGN_UP: { kind: "domains", domains: ["example.com"] },
      REDIS_TIMEOUT_MS: 100,
      ACCESS_TOKEN_TTL: 60,
      REFRESH_TOKEN_TTL: 3600,
      CODE_TTL: 30,
      SCOPES: ["openid", "mcp:tools", "email"],
      REQUIRE_PKCE: false,
    });
  });

  it("R3: fall back to the write database for each missing connection on its own", () => {
    const replica = "postgres://app:pw@replica.example.com/gateway";
    const config = configOf({ ...PRODUCTION, DATABASE_READ_URL: replica });
    expect(config.DATABASE_READ_URL).toBe(replica);
    expect(config.DATABASE_ANALYTICS_URL).toBe(PRODUCTION["DATABASE_URL"]);
  });

  it("R3: compare administrators' addresses without case", () => {
    expect(configOf({ ...PRODUCTION, ADMIN_EMAILS: "Root@Example.COM" }).ADMIN_EMAILS).toEqual(["root@example.com"]);
  });
});

describe("R3: a setting that is missing", () => {
  it("R3: is named, all of them at once", () => {
    expect(problemsOf({})).toEqual([
      ...REQUIRED.map((name) => ({ name, problem: "is required" })),
      { name: "RESEND_API_KEY", problem: "is required in production, to send email" },
      { name: "MAIL_FROM", problem: "is required to send email" },
    ]);
  });

  it.each(REQUIRED)("R3: counts as missing when it is empty: %s", (name) => {
    expect(problemsOf({ ...PRODUCTION, [name]: "" })).toEqual([{ name, problem: "is required" }]);
    expect(problemsOf(without(PRODUCTION, name))).toEqual([{ name, problem: "is required" }]);
  });

  it("R3: falls back to its default when it is empty", () => {
    const empty = { SIGN_UP: "", LOGIN_PAGE: "", DATABASE_READ_URL: "", REQUIRE_PKCE: "", OUTBOUND_ALLOW: "" };
    expect(configOf({ ...PRODUCTION, ...empty })).toEqual(configOf(PRODUCTION));
  });
});

describe("R3: a setting that is wrong", () => {
  it("R3: is named with every other one, and says what would be right", () => {
    const problems = problemsOf({
      ...PRODUCTION,
      ENVIRONMENT: "prod",
      BASE_URL: "https://gateway.example.com/path",
      DATABASE_URL: "mysql://app:pw@db.example.com/gateway",
      REDIS_TIMEOUT_MS: "soon",
      SIGN_UP: "anyone",
      CLIENT_REGISTRATION: "closed",
      LOGIN_PAGE: "//evil.example.com",
      REQUIRE_PKCE: "yes",
      ADMIN_EMAILS: "root",
      LEGACY_KEYS: "on",
    });
    expect(Object.fromEntries(problems.map(({ name, problem }) => [name, problem]))).toEqual({
      ENVIRONMENT: "must be one of development, production",
      BASE_URL: "must be an origin: no path, query or fragment",
      DATABASE_URL: "must be postgresql://user:password@host/database",
      REDIS_TIMEOUT_MS: "must be a whole number from 10 to 10000",
      SIGN_UP: "must be open, invite or domains:example.com,…",
      CLIENT_REGISTRATION: "must be open, off or hosts:example.com,…",
      LOGIN_PAGE: "must be a path such as /sign-in",
      REQUIRE_PKCE: "must be one of true, false",
      ADMIN_EMAILS: "must be email addresses",
      LEGACY_KEYS: "must be one of accept, off",
    });
  });

  it.each(["BASE_URL", "DATABASE_URL", "SCOPES", "RESEND_API_KEY"])(
    "R3: is named when a binding is not text: %s",
    (name) => {
      expect(problemNames({ ...PRODUCTION, [name]: { get: () => "" } })).toEqual([name]);
    },
  );

  it("R3: does not matter when no setting has that name", () => {
    expect(configOf({ ...PRODUCTION, UNRELATED: "x", ASSETS: {} })).toEqual(configOf(PRODUCTION));
  });

  it.each([
    ["REDIS_TIMEOUT_MS", 10, 10_000],
    ["ACCESS_TOKEN_TTL", 60, 3600],
    ["REFRESH_TOKEN_TTL", 3600, 31_536_000],
    ["CODE_TTL", 30, 600],
  ] as const)("R3: %s is a whole number from %i to %i", (name, min, max) => {
    for (const good of [min, max]) expect(configOf({ ...PRODUCTION, [name]: String(good) })[name]).toBe(good);
    const bad = [String(min - 1), String(max + 1), `${min}.5`, "-1", "1e3", "0x40", ` ${max}`, "NaN", "60s"];
    const named = bad.map((text) => problemNames({ ...PRODUCTION, [name]: text }));
    expect(named).toEqual(bad.map(() => [name]));
  });
});

describe("R3: production", () => {
  it.each([
    ["BASE_URL", "http://gateway.example.com", "must be https in production"],
    ["BASE_URL", "http://localhost:8787", "must be https in production"],
    ["UPSTASH_REDIS_REST_URL", "http://redis.example.com", "must be https in production"],
    ["NEON_HTTP_ENDPOINT", "https://db.example.com/sql", "is for development only"],
    ["OUTBOUND_ALLOW", "127.0.0.1:9000", "is for development only"],
    ["OUTBOUND_ALLOW", ",", "is for development only"],
  ])("R3: refuses %s=%s", (name, value, problem) => {
    expect(problemsOf({ ...PRODUCTION, [name]: value })).toEqual([{ name, problem }]);
  });

  it("R3: is what a deployment without ENVIRONMENT is, and an unknown one is refused", () => {
    expect(problemNames(without(DEVELOPMENT, "ENVIRONMENT"))).toContain("BASE_URL");
    expect(problemNames({ ...DEVELOPMENT, ENVIRONMENT: "Development" })).toContain("ENVIRONMENT");
  });

  it("R3: refuses to start without mail", () => {
    expect(problemsOf(without(PRODUCTION, "RESEND_API_KEY", "MAIL_FROM"))).toEqual([
      { name: "RESEND_API_KEY", problem: "is required in production, to send email" },
      { name: "MAIL_FROM", problem: "is required to send email" },
    ]);
    expect(problemsOf(without(PRODUCTION, "MAIL_FROM"))).toEqual([
      { name: "MAIL_FROM", problem: "is required to send email" },
    ]);
  });

  it("R3: reports all of its refusals at once", () => {
    const env = {
      ...without(PRODUCTION, "RESEND_API_KEY"),
      BASE_URL: "http://gateway.example.com",
      UPSTASH_REDIS_REST_URL: "http://redis.example.com",
      NEON_HTTP_ENDPOINT: "http://127.0.0.1:9/sql",
      OUTBOUND_ALLOW: "127.0.0.1:9000",
      GITHUB_CLIENT_ID: "id",
      GOOGLE_CLIENT_SECRET: "secret",
    };
    expect(problemNames(env)).toEqual([
      "BASE_URL",
      "UPSTASH_REDIS_REST_URL",
      "NEON_HTTP_ENDPOINT",
      "OUTBOUND_ALLOW",
      "RESEND_API_KEY",
      "GITHUB_CLIENT_SECRET",
      "GOOGLE_CLIENT_ID",
    ]);
  });
});

describe("R3: development", () => {
  it("R3: takes its own settings", () => {
    const config = configOf({
      ...DEVELOPMENT,
      NEON_HTTP_ENDPOINT: "http://127.0.0.1:9/sql",
      OUTBOUND_ALLOW: "127.0.0.1:9000, [::1]:9001",
    });
    expect(config.NEON_HTTP_ENDPOINT).toBe("http://127.0.0.1:9/sql");
    expect(config.OUTBOUND_ALLOW).toEqual(["127.0.0.1:9000", "[::1]:9001"]);
  });

  it.each(["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:8787", "https://gateway.example.com"])(
    "R3: answers at %s",
    (origin) => {
      expect(configOf({ ...DEVELOPMENT, BASE_URL: origin }).BASE_URL).toBe(origin);
    },
  );

  it.each(["http://gateway.example.com", "http://localhost.example.com", "http://127.0.0.2", "http://0.0.0.0:8787"])(
    "R3: does not answer in clear text at %s",
    (origin) => {
      expect(problemsOf({ ...DEVELOPMENT, BASE_URL: origin })).toEqual([
        { name: "BASE_URL", problem: "must be https, or http on loopback" },
      ]);
    },
  );
});

describe("R3: a sign-in provider", () => {
  it.each(["GITHUB", "GOOGLE"])("R3: has both an id and a secret, or neither: %s", (provider) => {
    const id = `${provider}_CLIENT_ID`;
    const secret = `${provider}_CLIENT_SECRET`;
    expect(problemsOf({ ...PRODUCTION, [id]: "x", [secret]: "y" })).toEqual([]);
    expect(problemsOf({ ...PRODUCTION, [id]: "x" })).toEqual([{ name: secret, problem: `is required with ${id}` }]);
    expect(problemsOf({ ...PRODUCTION, [secret]: "y" })).toEqual([{ name: id, problem: `is required with ${secret}` }]);
  });
});

describe("R3: the text of a problem", () => {
  const secretLike = fc.string({
    unit: fc.constantFrom(..."abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789".split("")),
    minLength: 16,
    maxLength: 60,
  });
  const shapes = fc.constantFrom<(secret: string) => string>(
    (secret) => secret,
    (secret) => `${secret},${secret}`,
    (secret) => `k1:${secret}`,
    (secret) => `postgresql://app:${secret}@db.example.com`,
    (secret) => `ftp://${secret}@host.example.com/${secret}`,
    (secret) => `domains:${secret}`,
    (secret) => `hosts:${secret}`,
    (secret) => `${secret}\n`,
  );

  it("R3: never repeats the value, whatever it is", () => {
    const names = [...Object.keys(configOf(PRODUCTION)), "NEON_HTTP_ENDPOINT", "SCOPES", "GITHUB_CLIENT_SECRET"];
    fc.assert(
      fc.property(secretLike, shapes, (secret, shape) => {
        const problems = problemsOf(Object.fromEntries(names.map((name) => [name, shape(secret)])));
        expect(problems.length).toBeGreaterThan(10);
        expect(JSON.stringify(problems)).not.toContain(secret);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it("R3: never repeats a value that only production refuses", () => {
    fc.assert(
      fc.property(secretLike, (secret) => {
        const problems = problemsOf({
          ...without(PRODUCTION, "RESEND_API_KEY"),
          BASE_URL: `http://${secret.toLowerCase()}.example.com`,
          UPSTASH_REDIS_REST_URL: `http://user:${secret}@redis.example.com/`,
          NEON_HTTP_ENDPOINT: `http://${secret}.example.com`,
          OUTBOUND_ALLOW: secret,
          GITHUB_CLIENT_SECRET: secret,
          GOOGLE_CLIENT_ID: secret,
        });
        expect(problems).toHaveLength(7);
        expect(JSON.stringify(problems).toLowerCase()).not.toContain(secret.toLowerCase());
      }),
      { seed: 3, numRuns: 100 },
    );
  });
});
