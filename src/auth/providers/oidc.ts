import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from "jose";
import * as z from "zod";
import { readJson } from "../../platform/body.ts";
import type { Config } from "../../platform/config.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";

/** The part of a provider's metadata that is used (OpenID Connect Discovery §3). */
const metadata = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
  userinfo_endpoint: z.url().optional(),
});
export type OidcMetadata = z.infer<typeof metadata>;

/** The person who signed in, according to the provider. */
export interface OidcPerson {
  id: string;
  email: string;
  emailVerified: boolean;
  name: string;
}

const TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 262_144;
const CLOCK_TOLERANCE_SECONDS = 60;

/**
 * The metadata of the provider in `OIDC_ISSUER`; undefined when the setting is absent. Throws when the metadata cannot
 * be read or is of another issuer.
 */
export async function discoverOidc(
  { OIDC_ISSUER: issuer }: Pick<Config, "OIDC_ISSUER">,
  fetcher: Outbound,
): Promise<OidcMetadata | undefined> {
  if (issuer === undefined) return undefined;
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const found = metadata.parse(await ask(address, fetcher));
  if (found.issuer.replace(/\/$/, "") !== issuer.replace(/\/$/, "")) throw new Error(`${address} is of another issuer`);
  return found;
}

/**
 * Verifies an ID token (OpenID Connect Core §3.1.3.7) and returns the person who signed in; null when the token is
 * invalid or has no address. Claims that the token lacks come from the provider's UserInfo endpoint, for the same
 * subject only.
 */
export async function oidcPerson(
  { OIDC_CLIENT_ID: audience = "" }: Pick<Config, "OIDC_CLIENT_ID">,
  provider: OidcMetadata,
  tokens: { idToken?: string | undefined; accessToken?: string | undefined },
  fetcher: Outbound,
): Promise<OidcPerson | null> {
  if (!tokens.idToken) return null;
  const keys = createLocalJWKSet((await ask(provider.jwks_uri, fetcher)) as JSONWebKeySet);
  const payload = await verified(tokens.idToken, keys, { issuer: provider.issuer, audience });
  if (!payload) return null;
  const claims =
    payload["email"] === undefined ? await userInfo(provider, payload, tokens.accessToken, fetcher) : payload;
  const { sub, email, name } = claims;
  if (typeof sub !== "string" || typeof email !== "string") return null;
  return {
    id: sub,
    email,
    emailVerified: claims["email_verified"] === true || claims["email_verified"] === "true",
    name: typeof name === "string" && name !== "" ? name : (email.split("@")[0] ?? email),
  };
}

async function verified(
  idToken: string,
  keys: ReturnType<typeof createLocalJWKSet>,
  expected: { issuer: string; audience: string },
): Promise<JWTPayload | null> {
  try {
    const options = { ...expected, clockTolerance: CLOCK_TOLERANCE_SECONDS, requiredClaims: ["sub", "exp", "iat"] };
    return (await jwtVerify(idToken, keys, options)).payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}

async function userInfo(
  provider: OidcMetadata,
  { sub }: JWTPayload,
  accessToken: string | undefined,
  fetcher: Outbound,
): Promise<JWTPayload> {
  if (provider.userinfo_endpoint === undefined || !accessToken) return {};
  const authorization = `Bearer ${accessToken}`;
  const found = (await ask(provider.userinfo_endpoint, fetcher, { authorization })) as JWTPayload;
  return found.sub === sub ? found : {};
}

async function ask(url: string, fetcher: Outbound, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetcher(url, {
    headers: { accept: "application/json", ...headers },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`${new URL(url).host} answered ${answer.status}`);
  const body = await readJson(answer, { limitBytes: MAX_ANSWER_BYTES });
  if ("refusal" in body) throw new Error(`${new URL(url).host}: ${body.refusal.kind}`);
  return body.value;
}
