import { z } from "zod";
import { limitsSetting } from "./limit-settings.ts";
import {
  flag,
  httpUrl,
  integer,
  isLoopback,
  list,
  localPath,
  origin,
  postgresUrl,
  registrationPolicy,
  sealingKeys,
  secrets,
  signUpPolicy,
} from "./settings.ts";

const schema = z.object({
  ENVIRONMENT: z.enum(["development", "production"]).default("production"),
  BASE_URL: origin,
  DATABASE_URL: postgresUrl,
  DATABASE_READ_URL: postgresUrl.optional(),
  DATABASE_ANALYTICS_URL: postgresUrl.optional(),
  UPSTASH_REDIS_REST_URL: httpUrl,
  UPSTASH_REDIS_REST_TOKEN: z.string().min(1, "must not be empty"),
  REDIS_TIMEOUT_MS: integer(10, 10_000).default(250),
  BETTER_AUTH_SECRETS: secrets,
  SEALING_KEYS: sealingKeys,
  ADMIN_EMAILS: list.pipe(z.array(z.email("must be email addresses"))).default([]),
  SIGN_UP: signUpPolicy.optional(),
  CLIENT_REGISTRATION: registrationPolicy.default({ kind: "open" }),
  ALLOWED_ORIGINS: list.pipe(z.array(origin)).default([]),
  ACCESS_TOKEN_TTL: integer(60, 3600).default(900),
  REFRESH_TOKEN_TTL: integer(3600, 31_536_000).default(2_592_000),
  CODE_TTL: integer(30, 600).default(300),
  LOGIN_PAGE: localPath.default("/sign-in"),
  SCOPES: z
    .string()
    .transform((text) => text.split(/[\s,]+/).filter((scope) => scope !== ""))
    .optional(),
  REQUIRE_PKCE: flag.default(true),
  RESEND_API_KEY: z.string().min(1).optional(),
  MAIL_FROM: z
    .string()
    .regex(/^[^\r\n]*@[^\r\n]*$/, "must be an address such as gateway@example.com")
    .optional(),
  GITHUB_CLIENT_ID: z.string().optional(),
  GITHUB_CLIENT_SECRET: z.string().optional(),
  GOOGLE_CLIENT_ID: z.string().optional(),
  GOOGLE_CLIENT_SECRET: z.string().optional(),
  OIDC_ISSUER: httpUrl.optional(),
  OIDC_CLIENT_ID: z.string().optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  OIDC_NAME: z.string().max(40, "must be at most 40 characters").optional(),
  LEGACY_KEYS: z.enum(["accept", "off"]).default("accept"),
  LIMITS: limitsSetting.default({}),
  NEON_HTTP_ENDPOINT: httpUrl.optional(),
  OUTBOUND_ALLOW: list.optional(),
});

type Settings = z.infer<typeof schema>;

/**
 * The validated settings of a deployment. The README describes each of them. Times are in seconds unless the name says
 * otherwise.
 */
export interface Config extends Omit<
  Settings,
  "SIGN_UP" | "DATABASE_READ_URL" | "DATABASE_ANALYTICS_URL" | "OUTBOUND_ALLOW"
> {
  SIGN_UP: NonNullable<Settings["SIGN_UP"]>;
  DATABASE_READ_URL: string;
  DATABASE_ANALYTICS_URL: string;
  OUTBOUND_ALLOW: readonly string[];
}

/** A setting that prevents the Worker from serving. The text never repeats the value, which may be a secret. */
export interface ConfigProblem {
  name: string;
  problem: string;
}

/** Validates the Worker's variables and secrets. All problems are reported at once, each naming its variable. */
export function parseConfig(env: object): { config: Config } | { problems: ConfigProblem[] } {
  const values = textVariables(env);
  const problems: ConfigProblem[] = [];
  const read: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const parsed = field.safeParse(values[name]);
    if (parsed.success) read[name] = parsed.data;
    else problems.push(...parsed.error.issues.map((issue) => toProblem(name, issue)));
  }
  problems.push(...crossChecks(read));
  if (problems.length > 0) return { problems };
  const settings = read as Settings;
  const production = settings.ENVIRONMENT === "production";
  return {
    config: {
      ...settings,
      ADMIN_EMAILS: settings.ADMIN_EMAILS.map((email) => email.toLowerCase()),
      SIGN_UP: settings.SIGN_UP ?? { kind: production ? "invite" : "open" },
      DATABASE_READ_URL: settings.DATABASE_READ_URL ?? settings.DATABASE_URL,
      DATABASE_ANALYTICS_URL: settings.DATABASE_ANALYTICS_URL ?? settings.DATABASE_URL,
      OUTBOUND_ALLOW: settings.OUTBOUND_ALLOW ?? [],
    },
  };
}

/** Checks rules between settings, for settings that are valid by themselves. */
function crossChecks(settings: Partial<Settings>): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const require = (ok: boolean, name: string, problem: string) => {
    if (!ok) problems.push({ name, problem });
  };
  const secure = (url: string | undefined) => url === undefined || url.startsWith("https:");
  if (settings.ENVIRONMENT === "production") {
    require(secure(settings.BASE_URL), "BASE_URL", "must be https in production");
    require(secure(settings.UPSTASH_REDIS_REST_URL), "UPSTASH_REDIS_REST_URL", "must be https in production");
    require(settings.NEON_HTTP_ENDPOINT === undefined, "NEON_HTTP_ENDPOINT", "is for development only");
    require(settings.OUTBOUND_ALLOW === undefined, "OUTBOUND_ALLOW", "is for development only");
    require(settings.RESEND_API_KEY !== undefined, "RESEND_API_KEY", "is required in production, to send email");
  } else {
    const { BASE_URL } = settings;
    const safe = BASE_URL === undefined || secure(BASE_URL) || isLoopback(BASE_URL);
    require(safe, "BASE_URL", "must be https, or http on loopback");
  }
  const sendsMail = settings.RESEND_API_KEY !== undefined || settings.ENVIRONMENT === "production";
  require(!sendsMail || !!settings.MAIL_FROM, "MAIL_FROM", "is required to send email");
  for (const provider of ["GITHUB", "GOOGLE"] as const) {
    const id = settings[`${provider}_CLIENT_ID`];
    const secret = settings[`${provider}_CLIENT_SECRET`];
    require(!id || !!secret, `${provider}_CLIENT_SECRET`, `is required with ${provider}_CLIENT_ID`);
    require(!secret || !!id, `${provider}_CLIENT_ID`, `is required with ${provider}_CLIENT_SECRET`);
  }
  const oidc = ["OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"] as const;
  const isOidc = oidc.some((name) => settings[name] !== undefined) || settings.OIDC_NAME !== undefined;
  for (const name of oidc) require(!isOidc || !!settings[name], name, "is required to sign in with OpenID Connect");
  const { OIDC_ISSUER: issuer } = settings;
  const isSafe =
    issuer === undefined || secure(issuer) || (settings.ENVIRONMENT !== "production" && isLoopback(issuer));
  require(isSafe, "OIDC_ISSUER", "must be https, or http on loopback in development");
  return problems;
}

/** The variables without empty ones. An unset variable in a shell or a dashboard often arrives as an empty one. */
function textVariables(env: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
}

function toProblem(name: string, issue: z.core.$ZodIssue): ConfigProblem {
  const absent = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  return { name, problem: absent ? "is required" : explain(issue) };
}

function explain(issue: z.core.$ZodIssue): string {
  return issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
}
