import type { BetterAuthPlugin } from "better-auth";
import { accountChanges } from "./changes.ts";
import { accountEnd } from "./end.ts";
import { accountEvents } from "./events.ts";
import { addressProof } from "./address-proof.ts";
import type { AuthDeps } from "../deps.ts";
import { loginBackoff } from "./login-backoff.ts";
import { passwordReset } from "./password-reset.ts";
import { unfinishedSignUp } from "./unfinished-sign-up.ts";

/**
 * The gateway's account rules beyond Better Auth's. Each is a plugin with hooks, or with endpoints in place of Better
 * Auth's.
 */
export const accountPlugins = (deps: AuthDeps): BetterAuthPlugin[] => [
  accountEvents(deps),
  loginBackoff(deps),
  unfinishedSignUp(deps),
  addressProof(deps),
  passwordReset(deps),
  accountChanges(deps),
  accountEnd(deps),
];
