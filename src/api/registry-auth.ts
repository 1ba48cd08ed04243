import type { Context, Hono } from "hono";
import * as z from "zod";
import { bodyError, readJson } from "../platform/body.ts";
import { AppError } from "../platform/errors.ts";
import { clientAddress, type HttpEnv } from "../platform/http.ts";
import { visitorKey } from "../platform/ip.ts";
import { domainKeys, keysOfProof, readProof, signerOf, type ProofPlace } from "../registry/challenge.ts";
import {
  accountsOfToken,
  githubProof,
  GithubUnavailable,
  ownerOfWorkflow,
  type GithubAccount,
} from "../registry/github.ts";
import { domainNamespace, githubNamespace } from "../registry/name.ts";
import { findNamespaces, type OwnedNamespace } from "../registry/namespaces.ts";
import { PUBLISHER_TOKEN_MS, signPublisherToken } from "../registry/publisher-token.ts";
import type { ApiDeps } from "./deps.ts";
import { githubOf } from "./registry-github.ts";
import { takeLocal, type PublishingLimits } from "./registry-publisher.ts";
import { toError } from "./refusal.ts";

const ROOTS = ["/v0.1", "/v0"];
/** Each costs signatures, statements and requests to other hosts. */
const EXCHANGES = { perMinute: 30, burst: 30 };
const MAX_BODY_BYTES = 32_768;
/** How far a signed time may be off (as in the official registry): the signature is good elsewhere too, so not for long. */
const CLOCK_MS = 15_000;
/** For development: nobody can prove it, an administrator assigns it. */
const ANONYMOUS = "io.modelcontextprotocol.anonymous";

interface Proved {
  grants: readonly OwnedNamespace[];
  subject: string;
}

/**
 * The exchanges of `mcp-publisher login`: a proof of who somebody is, elsewhere, for a token that publishes in the namespaces which that
 * name has, for five minutes. A namespace that no tenant has claimed is nobody's to publish in.
 */
export function authRoutes(app: Hono<HttpEnv>, deps: ApiDeps, limits: PublishingLimits): void {
  const serve = (method: string, prove: (c: Context<HttpEnv>) => Promise<Proved>) => {
    for (const path of ROOTS.map((root) => `${root}/auth/${method}`)) {
      app.post(path, async (c) => {
        const address = clientAddress(c.req.raw.headers);
        const shutOut = deps.strangers.refusalOf(address, deps.now());
        if (shutOut) throw toError(shutOut);
        takeLocal(limits, `exchange:${visitorKey(address)}`, EXCHANGES, deps.now());
        return tokenFor(c, deps, method, await answered(deps, address, () => prove(c)));
      });
      app.all(path, () => {
        throw new AppError("method_not_allowed", "Use POST.", { headers: { allow: "POST" } });
      });
    }
  };

  serve("none", async () => {
    if (deps.config.ENVIRONMENT !== "development")
      throw new AppError(
        "not_implemented",
        "Publishing without a proof is for development only. Use dns, http or github.",
      );
    const owned = await findNamespaces(deps.databases.write, [ANONYMOUS]);
    return { grants: claimed(owned, ANONYMOUS), subject: "anonymous" };
  });
  serve("dns", (c) => byDomain(c, deps, "dns"));
  serve("http", (c) => byDomain(c, deps, "http"));
  serve("github-at", async (c) => {
    const github = githubOf(deps);
    const { github_token: token } = await bodyOf(c, z.object({ github_token: z.string().max(1_000) }));
    const accounts = await accountsOfToken(github, token);
    if (!accounts) throw notProved("GitHub does not know this token, or it was made for another application.");
    return byAccounts(deps, accounts);
  });
  serve("github-oidc", async (c) => {
    const github = githubOf(deps);
    const { oidc_token: token } = await bodyOf(c, z.object({ oidc_token: z.string().max(20_000) }));
    const audiences = [deps.config.BASE_URL, `${deps.config.BASE_URL}/`];
    const owner = await ownerOfWorkflow(github, token, audiences, deps.now());
    if (!owner) throw notProved(`This is no good token of GitHub Actions with the audience ${deps.config.BASE_URL}.`);
    return byAccounts(deps, [owner]);
  });
}

/** A proof that fails counts against the address; one that cannot be checked does not. */
async function answered(deps: ApiDeps, address: string | null, prove: () => Promise<Proved>): Promise<Proved> {
  try {
    return await prove();
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_credential") deps.strangers.failed(address, deps.now());
    if (error instanceof GithubUnavailable || (error instanceof Error && error.name === "ResolverUnavailable"))
      throw new AppError("unavailable", "Your proof cannot be checked right now. Try again shortly.", {
        internal: error.message,
        headers: { "retry-after": "5" },
      });
    throw error;
  }
}

async function tokenFor(c: Context<HttpEnv>, deps: ApiDeps, method: string, proved: Proved): Promise<Response> {
  const expiresAt = deps.now() + PUBLISHER_TOKEN_MS;
  const grants = proved.grants.map(({ tenantId, namespace }) => ({ tenantId, namespace }));
  const token = { grants, subject: proved.subject, method };
  deps.log("info", "registry.token_issued", {
    requestId: c.get("requestId"),
    method,
    namespaces: grants.map(({ namespace }) => namespace).join(" "),
  });
  return Response.json(
    {
      registry_token: await signPublisherToken(deps.config.BETTER_AUTH_SECRETS, token, expiresAt),
      expires_at: Math.floor(expiresAt / 1000),
    },
    { headers: { "cache-control": "no-store" } },
  );
}

const signedTime = z.object({
  domain: z.string().max(253),
  timestamp: z.string().max(64),
  signed_timestamp: z.string().max(1_024),
});

/**
 * The signature must be by a key that the namespace was claimed with: whoever has the domain later is not the tenant. It must also still be
 * published: to take the record away ends it. Other hosts are asked only after a good signature.
 */
async function byDomain(c: Context<HttpEnv>, deps: ApiDeps, place: ProofPlace): Promise<Proved> {
  const { domain, timestamp, signed_timestamp: signature } = await bodyOf(c, signedTime);
  const namespace = domainNamespace(domain);
  if (namespace === undefined) throw new AppError("invalid_request", "body.domain: this is no domain.");
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(timestamp)
    ? Date.parse(timestamp)
    : NaN;
  if (!(Math.abs(time - deps.now()) <= CLOCK_MS))
    throw notProved(`body.timestamp: use the time of now (RFC 3339), within ${CLOCK_MS / 1000} s.`);
  const [owned] = claimed(await findNamespaces(deps.databases.write, [namespace]), namespace);
  const keys = keysOfProof(owned?.proof ?? null);
  if (owned === undefined || keys.length === 0) throw noKey(namespace);
  const signer = await signerOf(keys, timestamp, signature);
  if (!signer) throw notProved(`None of the keys with which ${namespace} was claimed has signed this.`);
  const published = await readProof(deps, place, namespace.split(".").toReversed().join("."));
  if ("problem" in published) throw new AppError("forbidden", published.problem);
  const isThere = domainKeys(published.lines).some(({ publicKey }) => publicKey === signer.publicKey);
  if (!isThere) throw new AppError("forbidden", `This key is not published any more (${place}).`);
  return { grants: [owned], subject: domain.toLowerCase() };
}

/** Names of accounts change hands, ids do not: an account counts when it is the one that the namespace is kept with. */
async function byAccounts(deps: ApiDeps, accounts: readonly GithubAccount[]): Promise<Proved> {
  const byNamespace = new Map(accounts.map((account) => [githubNamespace(account.login) ?? "", account]));
  const owned = await findNamespaces(deps.databases.write, [...byNamespace.keys()]);
  const grants = owned.filter(({ namespace, proof }) => {
    const account = byNamespace.get(namespace);
    return account !== undefined && proof === githubProof(account);
  });
  return { grants: claimed(grants, [...byNamespace.keys()].join(" or ")), subject: accounts[0]?.login ?? "" };
}

function claimed(owned: readonly OwnedNamespace[], namespace: string): readonly OwnedNamespace[] {
  if (owned.length > 0) return owned;
  throw new AppError(
    "forbidden",
    `No organization of this gateway has claimed ${namespace}. Sign in, make an API key with mcp-registry:write, and POST /api/v1/registry/namespaces {"namespace": "…"}: the answer says how to prove it.`,
  );
}

const noKey = (namespace: string) =>
  new AppError(
    "forbidden",
    `${namespace} was claimed without a key. Publish v=MCPv1; k=ed25519; p=… beside the claim, then POST /api/v1/registry/namespaces/${namespace}/verify.`,
  );

const notProved = (text: string) =>
  new AppError("invalid_credential", text, { headers: { "www-authenticate": "Bearer" } });

async function bodyOf<T extends z.ZodType>(c: Context<HttpEnv>, schema: T): Promise<z.infer<T>> {
  const body = await readJson(c.req.raw, { limitBytes: MAX_BODY_BYTES });
  if ("refusal" in body) throw bodyError(body.refusal);
  const parsed = schema.safeParse(body.value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${["body", ...path].join(".")}: ${message}`);
  throw new AppError("invalid_request", `${faults.join("; ")}.`);
}
