import type { Config } from "../../platform/config.ts";

/** An identity provider that people can sign in with. */
export interface Provider {
  id: "github" | "google" | "oidc";
  name: string;
}

/** The providers whose credentials are set, in the order in which the sign-in page shows them. */
export function providersOf(
  config: Pick<Config, "GITHUB_CLIENT_ID" | "GOOGLE_CLIENT_ID" | "OIDC_ISSUER" | "OIDC_NAME">,
): Provider[] {
  const { GITHUB_CLIENT_ID, GOOGLE_CLIENT_ID, OIDC_ISSUER, OIDC_NAME } = config;
  return [
    ...(OIDC_ISSUER ? [{ id: "oidc" as const, name: OIDC_NAME ?? new URL(OIDC_ISSUER).host }] : []),
    ...(GITHUB_CLIENT_ID ? [{ id: "github" as const, name: "GitHub" }] : []),
    ...(GOOGLE_CLIENT_ID ? [{ id: "google" as const, name: "Google" }] : []),
  ];
}
