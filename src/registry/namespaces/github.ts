import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from "jose";
import { readJson } from "../../platform/body.ts";
import { isObject } from "../../platform/json.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { githubNamespace } from "../name.ts";

/** A GitHub account. Account names can change hands, ids cannot; a namespace is stored with the id. */
export interface GithubAccount {
  id: string;
  login: string;
}

/**
 * The dependencies of requests to GitHub: the operator's OAuth app, whose tokens are accepted, and requests to public
 * hosts.
 */
export interface GithubDeps {
  outbound: Outbound;
  clientId: string;
  clientSecret: string;
}

/** GitHub did not answer as expected, so an identity there cannot be checked. */
export class GithubUnavailable extends Error {
  override readonly name = "GithubUnavailable";
}

const API = "https://api.github.com";
/** OpenID Connect of GitHub Actions (docs.github.com, "OpenID Connect reference"). */
const ACTIONS = "https://token.actions.githubusercontent.com";
const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1_048_576;
const MAX_ORGANIZATIONS = 100;

/** The account of this name, a person's or an organization's; undefined when there is none. */
export async function accountOf(deps: GithubDeps, login: string): Promise<GithubAccount | undefined> {
  const answer = await ask(deps, `${API}/users/${encodeURIComponent(login)}`, { authorization: basic(deps) });
  return answer.status === 200 ? accountIn(answer.body) : undefined;
}

/**
 * The accounts for which the holder of a GitHub token may publish: their own, and the organizations that they own, as
 * far as the token shows them. A token of an OAuth app is accepted only when the app is this gateway's, so that another
 * app cannot use the tokens that it was given (RFC 9700 §4.9.1). Personal access tokens are created by people
 * themselves. Undefined for any other token.
 */
export async function accountsOfToken(deps: GithubDeps, token: string): Promise<GithubAccount[] | undefined> {
  if (!/^(gh[opu]_|github_pat_)[A-Za-z0-9_]{10,255}$/.test(token)) return undefined;
  if (/^gh[ou]_/.test(token)) {
    const checked = await ask(
      deps,
      `${API}/applications/${encodeURIComponent(deps.clientId)}/token`,
      { authorization: basic(deps), "content-type": "application/json" },
      JSON.stringify({ access_token: token }),
    );
    if (checked.status !== 200) return undefined;
  }
  const authorization = `Bearer ${token}`;
  const user = await ask(deps, `${API}/user`, { authorization });
  const own = user.status === 200 ? accountIn(user.body) : undefined;
  if (own === undefined) return undefined;
  const memberships = `${API}/user/memberships/orgs?state=active&per_page=${MAX_ORGANIZATIONS}`;
  const { status, body } = await ask(deps, memberships, { authorization });
  const organizations = status === 200 && Array.isArray(body) ? body.slice(0, MAX_ORGANIZATIONS) : [];
  const owned = organizations
    .filter((one: unknown) => isObject(one) && one["role"] === "admin" && one["state"] === "active")
    .map((one: unknown) => (isObject(one) ? accountIn(one["organization"]) : undefined));
  return [own, ...owned.filter((account) => account !== undefined)];
}

/**
 * The account of the workflow that a GitHub Actions token (OpenID Connect) was issued to; undefined for an invalid
 * token. The token's audience must be this gateway: `audiences` are its addresses.
 */
export async function ownerOfWorkflow(
  deps: Pick<GithubDeps, "outbound">,
  token: string,
  audiences: readonly string[],
  now: number,
): Promise<GithubAccount | undefined> {
  if (token.length > 16_384 || token.split(".").length !== 3) return undefined;
  const { status, body } = await ask(deps, `${ACTIONS}/.well-known/jwks`, {});
  if (status !== 200 || !isObject(body) || !Array.isArray(body["keys"])) throw new GithubUnavailable("no keys");
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(body as unknown as JSONWebKeySet), {
      issuer: ACTIONS,
      audience: [...audiences],
      algorithms: ["RS256"],
      currentDate: new Date(now),
      clockTolerance: 30,
      requiredClaims: ["exp", "iat", "sub"],
    });
    return accountIn({ login: payload["repository_owner"], id: Number(payload["repository_owner_id"]) });
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** The proof that is stored with a GitHub namespace. */
export const githubProof = ({ id }: GithubAccount): string => `github-id=${id}`;

/** The id in a text of {@link githubProof}; null for any other text. */
export const githubIdOf = (proof: string | null): string | null => /^github-id=(\d+)$/.exec(proof ?? "")?.[1] ?? null;

function accountIn(value: unknown): GithubAccount | undefined {
  if (!isObject(value)) return undefined;
  const { id, login } = value;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id <= 0 || typeof login !== "string") return undefined;
  return githubNamespace(login) === undefined ? undefined : { id: String(id), login: login.toLowerCase() };
}

const basic = ({ clientId, clientSecret }: GithubDeps) => `Basic ${btoa(`${clientId}:${clientSecret}`)}`;

async function ask(
  { outbound }: Pick<GithubDeps, "outbound">,
  url: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; body: unknown }> {
  try {
    const response = await outbound(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { accept: "application/json", "user-agent": "mcp-registry-gateway", ...headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body !== undefined && { body }),
    });
    const { status, ok } = response;
    const read = await readJson(response, { limitBytes: MAX_BYTES });
    const isRefused = "refusal" in read && (ok || read.refusal.kind === "too_large");
    if (status >= 500 || status === 429 || isRefused) throw new Error(`status ${status}`);
    return { status, body: ok && "value" in read ? read.value : undefined };
  } catch (cause) {
    throw new GithubUnavailable(`GitHub does not answer: ${new URL(url).pathname}`, { cause });
  }
}
