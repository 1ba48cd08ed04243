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

/** What proves a domain's namespace: the challenge as it is published, or signed by a published key. Throws when nothing does. */
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
    const signed = signature === undefined ? "" : " The signature is by none of the keys there.";
    throw new AppError("forbidden", `Not proved yet: ${place} must be ${challenge}.${signed}`);
  }
  return { method, proof: keysAsProof(keys) };
}

/** What proves the namespace of a GitHub account: the caller signs in here with that very account. Throws when not. */
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
      `You are not signed up here as ${login} of GitHub. Sign in with GitHub once; the namespace of an organization is assigned by an administrator.`,
    );
  return { method: "github", proof: githubProof(account) };
}

/** A namespace that follows from no domain and no account. */
export const notProvable = (namespace: string) =>
  new AppError(
    "invalid_request",
    `${namespace} is no reversed domain name: nobody can prove it. An administrator of this gateway can assign it.`,
  );
