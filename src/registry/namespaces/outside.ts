import type { Config } from "../../platform/config.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { AppError } from "../../platform/errors.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { GithubUnavailable, type GithubDeps } from "./github.ts";

interface OutsideDeps {
  config: Pick<Config, "GITHUB_CLIENT_ID" | "GITHUB_CLIENT_SECRET">;
  outbound: Outbound;
}

/** What asking GitHub needs. Throws 501 where the operator has not set it up. */
export function githubOf({ config, outbound }: OutsideDeps): GithubDeps {
  const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret } = config;
  if (clientId === undefined || clientSecret === undefined)
    throw new AppError(
      "not_implemented",
      "GitHub is not set up here: its operator sets GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.",
    );
  return { outbound, clientId, clientSecret };
}

/** Asks GitHub, DNS or a web server for a proof. Throws 503 when nobody answers: the caller may try again. */
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
