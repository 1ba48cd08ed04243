import { AppError } from "../platform/errors.ts";
import type { GithubDeps } from "../registry/github.ts";
import type { ApiDeps } from "./deps.ts";

/** What asking GitHub needs; 501 where the operator has not set it up. */
export function githubOf({ config, outbound }: ApiDeps): GithubDeps {
  const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret } = config;
  if (clientId === undefined || clientSecret === undefined)
    throw new AppError(
      "not_implemented",
      "GitHub is not set up here: its operator sets GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.",
    );
  return { outbound, clientId, clientSecret };
}
