import type { Context } from "hono";
import type { ChangedBy } from "../../audit/event.ts";
import { runTokenRequest } from "../../auth/storage/token-request.ts";
import type { TakenCode } from "../../grants/codes.ts";
import { DEVICE_GRANT, GRANT_HEADER } from "../../grants/grant-id.ts";
import type { GrantDeps } from "../../grants/revocation.ts";
import type { HttpEnv } from "../../platform/http.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { oauthError } from "../answers.ts";
import { textOf, type AskFramework, type Change } from "../framework.ts";
import { hasRepeated, tokenParameters } from "../parameters.ts";
import { inOAuthTerms } from "../refusal.ts";
import { clientCredentials } from "./client-credentials.ts";
import { clientIdRefusal } from "./client-id.ts";
import { redeemDeviceCode } from "./device.ts";
import { tellForgottenClient } from "./forgotten-client.ts";
import { tokenProof } from "./proof.ts";
import { redeem, type RedeemDeps } from "./redeem.ts";
import { refresh } from "./refresh.ts";

const PATH = "/api/auth/oauth2/token";

interface TokenDeps {
  config: { BASE_URL: string };
  db: Pick<Db, "execute">;
  grants: GrantDeps & RedeemDeps;
  now: () => number;
}

/** The token endpoint (RFC 6749 §3.2): what each grant needs before and after the framework issues its tokens. */
export function tokenEndpoint(deps: TokenDeps, ask: AskFramework, by: (c: Context<HttpEnv>) => ChangedBy) {
  const origin = deps.config.BASE_URL;
  return async (c: Context<HttpEnv>): Promise<Response> => {
    const form = tokenParameters(await textOf(c), origin);
    const body = form.toString();
    if (hasRepeated(form)) return oauthError(400, "invalid_request", "Give each parameter once (RFC 6749 §3.2).");
    const authorization = c.req.header("authorization");
    const unusable = clientIdRefusal(form, authorization);
    if (unusable) return unusable;
    const endpoint = `${origin}${new URL(c.req.url).pathname}`;
    const presented = { jwt: c.req.header("dpop"), method: "POST", url: endpoint };
    const proof = await tokenProof(deps.grants.redis, presented, deps.now());
    if (proof instanceof Response) return proof;
    const exchange = async (known: { code?: TakenCode | undefined; redemption?: string } = {}, change: Change = {}) =>
      inOAuthTerms(await runTokenRequest({ ...known, endpoint }, () => ask(c, PATH, { body, ...change })));
    const byGrantType = (): Promise<Response> => {
      switch (form.get("grant_type") ?? "") {
        case "client_credentials":
          return clientCredentials(form, origin, (sent) => exchange({}, { body: sent }));
        case "authorization_code":
          return redeem(deps.grants, form.get("code"), by(c), (code) => exchange({ code }));
        case DEVICE_GRANT:
          return redeemDeviceCode(deps.grants, form.get("device_code"), by(c), (redemption) =>
            exchange({ redemption }),
          );
        case "refresh_token":
          return refresh(deps.grants, { form, authorization, ...proof }, by(c), (grantId) =>
            exchange({}, grantId === null ? {} : { headers: { [GRANT_HEADER]: grantId } }),
          );
        default:
          return exchange();
      }
    };
    const answer = await byGrantType();
    return tellForgottenClient(deps.db, answer, form, authorization);
  };
}
