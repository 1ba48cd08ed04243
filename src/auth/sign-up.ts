import type { Config } from "../platform/config.ts";

/** Whether an address may open an account under `SIGN_UP`. Administrators' addresses always may: they have to start somewhere. */
export function maySignUp(config: Pick<Config, "SIGN_UP" | "ADMIN_EMAILS">, email: string): boolean {
  const address = email.toLowerCase();
  if (config.ADMIN_EMAILS.includes(address)) return true;
  const policy = config.SIGN_UP;
  if (policy.kind === "domains") return policy.domains.includes(address.slice(address.lastIndexOf("@") + 1));
  return policy.kind === "open";
}
