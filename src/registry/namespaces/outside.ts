import type { Config } from "../../platform/config.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { AppError } from "../../platform/errors.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { GithubUnavailable, type GithubDeps } from "./github.ts";

interface OutsideDeps {
  config: Pick<Config, "GITHUB_CLIENT_ID" | "GITHUB_CLIENT_SECRET">;
  outbound: Outbound;
}

/** The dependencies of requests to GitHub. Throws 501 where the operator has not configured it. */
export function githubOf({ config, outbound }: OutsideDeps): GithubDeps {
  const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret } = config;
  if (clientId === undefined || clientSecret === undefined)
    throw new AppError(
      "not_implemented",
      "GitHub is not configured here. The operator must set GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.",
    );
  return { outbound, clientId, clientSecret };
}

/**
 * Runs a request to GitHub, DNS or a web server for a proof. Throws 503 when it does not answer, so that the caller can
 * retry.
 */
export async function askOutside<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof GithubUnavailable || error instanceof ResolverUnavailable)
      throw new AppError("unavailable", "The proof cannot be checked right now. Try again shortly.", {
        internal: error.message,
        headers: { "retry-after": "5" },
      });
    throw error;
  }
}
