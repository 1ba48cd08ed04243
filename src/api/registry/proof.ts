import { AppError } from "../../platform/errors.ts";
import {
  challengeText,
  domainKeys,
  hasChallenge,
  keysAsProof,
  proofUrl,
  readProof,
  signerOf,
  type ProofPlace,
} from "../../registry/namespaces/challenge.ts";
import { accountOf, githubProof } from "../../registry/namespaces/github.ts";
import { githubOwner, namespaceDomain } from "../../registry/name.ts";
import { hasGithubAccount } from "../../registry/namespaces/namespaces.ts";
import type { ApiDeps } from "../deps.ts";
import { askOutside, githubOf } from "../../registry/namespaces/outside.ts";

/**
 * Checks the proof of a domain's namespace: the published challenge, or a signature of it by a published key. Throws if
 * there is none.
 */
export async function provedByDomain(
  deps: ApiDeps,
  tenantId: string,
  namespace: string,
  method: ProofPlace,
  signature: string | undefined,
): Promise<{ method: ProofPlace; proof: string | null }> {
  const domain = namespaceDomain(namespace);
  if (domain === undefined) throw notProvable(namespace);
  const published = await askOutside(() => readProof(deps, method, domain));
  if ("problem" in published) throw new AppError("forbidden", published.problem);
  const { BETTER_AUTH_SECRETS: secrets } = deps.config;
  const keys = domainKeys(published.lines);
  const challenge = await challengeText(secrets, tenantId, namespace);
  const isSigned = signature !== undefined && (await signerOf(keys, challenge, signature)) !== undefined;
  if (!isSigned && !(await hasChallenge(secrets, published.lines, { tenantId, namespace }))) {
    const place = method === "dns" ? `a TXT record of ${domain}` : `a line of ${proofUrl(domain)}`;
    const signed = signature === undefined ? "" : " The signature is not by any of the published keys.";
    throw new AppError("forbidden", `The namespace is not proved yet. Publish ${challenge} as ${place}.${signed}`);
  }
  return { method, proof: keysAsProof(keys) };
}

/** Checks the proof of a GitHub namespace: the caller signs in here with this GitHub account. Throws otherwise. */
export async function provedByAccount(
  deps: ApiDeps,
  userId: string,
  namespace: string,
): Promise<{ method: "github"; proof: string }> {
  const login = githubOwner(namespace) ?? "";
  const account = await askOutside(() => accountOf(githubOf(deps), login));
  if (!account || !(await hasGithubAccount(deps.databases.write, userId, account.id)))
    throw new AppError(
      "forbidden",
      `Your account here is not linked to the GitHub account ${login}. Sign in with GitHub once. The namespace of a GitHub organization is assigned by an administrator.`,
    );
  return { method: "github", proof: githubProof(account) };
}

/** The error for a namespace that belongs neither to a domain nor to a GitHub account. */
export const notProvable = (namespace: string) =>
  new AppError(
    "invalid_request",
    `"${namespace}" is not a reversed domain name such as com.example, so it cannot be proved. An administrator of this gateway can assign it.`,
  );
