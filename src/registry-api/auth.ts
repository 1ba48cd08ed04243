import * as z from "zod";
import { toError } from "../http/refusal.ts";
import type { RequestOrigin } from "../platform/http.ts";
import { AppError, type ErrorCode } from "../platform/errors.ts";
import { visitorKey } from "../platform/ip.ts";
import { domainKeys, keysOfProof, readProof, signerOf, type ProofPlace } from "../registry/namespaces/challenge.ts";
import { accountsOfToken, githubProof, ownerOfWorkflow, type GithubAccount } from "../registry/namespaces/github.ts";
import { domainNamespace, githubNamespace } from "../registry/name.ts";
import { findNamespaces, type OwnedNamespace } from "../registry/namespaces/namespaces.ts";
import { askOutside, githubOf } from "../registry/namespaces/outside.ts";
import { PUBLISHER_TOKEN_MS, signPublisherToken } from "../registry/publishing/publisher-token.ts";
import type { PlaneDeps } from "./deps.ts";
import { takeLocal } from "./publisher.ts";
import { route } from "./route.ts";

/** The limit of exchanges per address: each needs signatures, statements and requests to other hosts. */
const EXCHANGES = { perMinute: 30, burst: 30 };
/**
 * How far a signed time may differ from now (as in the official registry). The same signature is valid at other
 * registries, so the time is short.
 */
const CLOCK_MS = 15_000;
/** A namespace for development. It cannot be proved; an administrator assigns it. */
const ANONYMOUS = "io.modelcontextprotocol.anonymous";

interface Proved {
  grants: readonly OwnedNamespace[];
  subject: string;
}

/**
 * The exchanges of `mcp-publisher login`: the proof of an identity elsewhere, for a token that publishes for five
 * minutes in the namespaces of that identity. Nobody can publish in a namespace that no tenant owns.
 */
const exchange = {
  method: "post",
  tag: "Registry publishing",
  who: "anyone",
  bodyRules: { limitBytes: 32_768 },
  out: z
    .object({
      registry_token: z.string().describe("The token. Send it as `Authorization: Bearer …` to publish."),
      expires_at: z.number().int().describe("When the token expires, in seconds since 1970."),
    })
    .meta({ id: "PublisherToken", description: "A token that publishes for five minutes." }),
  before: ({ deps, from }: { deps: PlaneDeps; from: RequestOrigin }) => {
    const shutOut = deps.failedAttempts.refusalOf(from.ip, deps.now());
    if (shutOut) throw toError(shutOut);
    takeLocal(deps, `exchange:${visitorKey(from.ip)}`, EXCHANGES, deps.now());
  },
} as const;
const refusals = ["invalid_credential", "forbidden", "rate_limited"] as const satisfies readonly ErrorCode[];

export const tokenForNothing = route({
  ...exchange,
  path: "/auth/none",
  id: "createAnonymousPublisherToken",
  summary: "Get a publisher token without a proof (development only)",
  refusals: ["forbidden", "rate_limited", "not_implemented"],
  handle: ({ deps, from }) =>
    tokenFor(deps, from, "none", async () => {
      if (deps.config.ENVIRONMENT !== "development")
        throw new AppError(
          "not_implemented",
          "Publishing without a proof is possible in development only. Use dns, http or github.",
        );
      const owned = await findNamespaces(deps.databases.write, [ANONYMOUS]);
      return { grants: expectOwned(owned, ANONYMOUS), subject: "anonymous" };
    }),
});

const signedTime = z
  .object({
    domain: z.string().max(253).describe("The domain whose key signed the time."),
    timestamp: z.string().max(64).describe("The current time (RFC 3339)."),
    signed_timestamp: z.string().max(1_024).describe("The signature of `timestamp`, in hexadecimal."),
  })
  .meta({ id: "SignedTime", description: "A time, signed with the key of a domain." });

export const tokenByDns = route({
  ...exchange,
  path: "/auth/dns",
  id: "createPublisherTokenByDns",
  summary: "Get a publisher token with a key in the TXT records of a domain",
  in: { body: signedTime },
  refusals,
  handle: ({ deps, from, input }) => tokenFor(deps, from, "dns", () => byDomain(input.body, deps, "dns")),
});

export const tokenByHttp = route({
  ...exchange,
  path: "/auth/http",
  id: "createPublisherTokenByHttp",
  summary: "Get a publisher token with a key in the file /.well-known/mcp-registry-auth of a domain",
  in: { body: signedTime },
  refusals,
  handle: ({ deps, from, input }) => tokenFor(deps, from, "http", () => byDomain(input.body, deps, "http")),
});

/** Refuses before the body is read when GitHub is not configured. */
const beforeGithub: typeof exchange.before = (work) => {
  exchange.before(work);
  githubOf(work.deps);
};

export const tokenByGithub = route({
  ...exchange,
  path: "/auth/github-at",
  id: "createPublisherTokenByGithub",
  summary: "Get a publisher token with a GitHub access token",
  in: {
    body: z.object({
      github_token: z
        .string()
        .max(1_000)
        .describe("An access token of this gateway's GitHub app, or a personal access token."),
    }),
  },
  refusals: [...refusals, "not_implemented"],
  before: beforeGithub,
  handle: ({ deps, from, input }) =>
    tokenFor(deps, from, "github-at", async () => {
      const accounts = await accountsOfToken(githubOf(deps), input.body.github_token);
      if (!accounts) throw notProved("GitHub does not accept this token, or it was issued to another application.");
      return byAccounts(deps, accounts);
    }),
});

export const tokenByWorkflow = route({
  ...exchange,
  path: "/auth/github-oidc",
  id: "createPublisherTokenByWorkflow",
  summary: "Get a publisher token with an identity token of GitHub Actions",
  in: {
    body: z.object({
      oidc_token: z.string().max(20_000).describe("An identity token with this gateway as its audience."),
    }),
  },
  refusals: [...refusals, "not_implemented"],
  before: beforeGithub,
  handle: ({ deps, from, input }) =>
    tokenFor(deps, from, "github-oidc", async () => {
      const audiences = [deps.config.BASE_URL, `${deps.config.BASE_URL}/`];
      const owner = await ownerOfWorkflow(githubOf(deps), input.body.oidc_token, audiences, deps.now());
      if (!owner)
        throw notProved(`This is not a valid GitHub Actions token with the audience ${deps.config.BASE_URL}.`);
      return byAccounts(deps, [owner]);
    }),
});

async function tokenFor(deps: PlaneDeps, from: RequestOrigin, method: string, prove: () => Promise<Proved>) {
  const proved = await counted(deps, from.ip, () => askOutside(prove));
  const expiresAt = deps.now() + PUBLISHER_TOKEN_MS;
  const grants = proved.grants.map(({ tenantId, namespace }) => ({ tenantId, namespace }));
  const token = { grants, subject: proved.subject, method };
  deps.log("info", "registry.token_issued", {
    requestId: from.requestId,
    method,
    namespaces: grants.map(({ namespace }) => namespace).join(" "),
  });
  return {
    registry_token: await signPublisherToken(deps.config.BETTER_AUTH_SECRETS, token, expiresAt),
    expires_at: Math.floor(expiresAt / 1000),
  };
}

/** A failed proof counts against the address; one that could not be checked does not. */
async function counted(deps: PlaneDeps, address: string | null, prove: () => Promise<Proved>): Promise<Proved> {
  try {
    return await prove();
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid_credential")
      deps.failedAttempts.failed(address, deps.now());
    throw error;
  }
}

/**
 * The signature must be by a key that was there when the namespace was proved: a later owner of the domain is not the
 * tenant. The key must also still be published, so that removing the record ends its use. Other hosts are asked only
 * after a valid signature.
 */
async function byDomain(
  { domain, timestamp, signed_timestamp: signature }: z.infer<typeof signedTime>,
  deps: PlaneDeps,
  place: ProofPlace,
): Promise<Proved> {
  const namespace = domainNamespace(domain);
  if (namespace === undefined)
    throw new AppError("invalid_request", '"domain" must be a domain name, such as example.com.');
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(timestamp)
    ? Date.parse(timestamp)
    : NaN;
  if (!(Math.abs(time - deps.now()) <= CLOCK_MS))
    throw notProved(`"timestamp" must be the current time (RFC 3339), within ${CLOCK_MS / 1000} s.`);
  const [owned] = expectOwned(await findNamespaces(deps.databases.write, [namespace]), namespace);
  const keys = keysOfProof(owned?.proof ?? null);
  if (owned === undefined || keys.length === 0) throw noKey(namespace);
  const signer = await signerOf(keys, timestamp, signature);
  if (!signer) throw notProved(`The signature is not by any of the keys with which ${namespace} was proved.`);
  const published = await readProof(deps, place, namespace.split(".").toReversed().join("."));
  if ("problem" in published) throw new AppError("forbidden", published.problem);
  const isThere = domainKeys(published.lines).some(({ publicKey }) => publicKey === signer.publicKey);
  if (!isThere) throw new AppError("forbidden", `This key is no longer published (${place}).`);
  return { grants: [owned], subject: domain.toLowerCase() };
}

/** Account names can change hands, ids cannot: the account's id must be the one stored with the namespace. */
async function byAccounts(deps: PlaneDeps, accounts: readonly GithubAccount[]): Promise<Proved> {
  const byNamespace = new Map(accounts.map((account) => [githubNamespace(account.login) ?? "", account]));
  const owned = await findNamespaces(deps.databases.write, [...byNamespace.keys()]);
  const grants = owned.filter(({ namespace, proof }) => {
    const account = byNamespace.get(namespace);
    return account !== undefined && proof === githubProof(account);
  });
  return { grants: expectOwned(grants, [...byNamespace.keys()].join(" or ")), subject: accounts[0]?.login ?? "" };
}

function expectOwned(owned: readonly OwnedNamespace[], namespace: string): readonly OwnedNamespace[] {
  if (owned.length > 0) return owned;
  throw new AppError(
    "forbidden",
    `No organization of this gateway owns ${namespace}. Sign in, create an API key with mcp-registry:write, and POST /api/v1/registry/namespaces {"namespace": "…"}: the answer says how to prove it.`,
  );
}

const noKey = (namespace: string) =>
  new AppError(
    "forbidden",
    `${namespace} was proved without a key. Publish v=MCPv1; k=ed25519; p=… next to the challenge, then POST /api/v1/registry/namespaces/${namespace}/verify.`,
  );

const notProved = (text: string) =>
  new AppError("invalid_credential", text, { headers: { "www-authenticate": "Bearer" } });
