import {
  oauthDeviceAuthorization,
  type OAuthProviderApi,
  type OAuthProviderExtension,
  type OAuthTokenIssueParams,
} from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import * as z from "zod";
import { actsIn, isAdministratorRole } from "../../identity/standing.ts";
import { personActor } from "../trail.ts";
import { consentReference } from "../../grants/consent-reference.ts";
import type { AuthDeps } from "../deps.ts";
import { approveDevice, denyDevice, waitingDevice } from "../../grants/device/codes.ts";
import { DECIDE_DEVICE_PATH, WAITING_DEVICE_PATH } from "../../identity/pages.ts";
import { DEVICE_GRANT } from "../../grants/grant-id.ts";
import { ownSession } from "../own-session.ts";
import { AUTH_PAGES } from "../../identity/pages.ts";
import { currentTokenRequest } from "../storage/token-request.ts";
import { readUserCode, newUserCode } from "../../grants/device/user-code.ts";
import { takeUserCodeTry } from "../../grants/device/user-code-tries.ts";

const START_LIMIT = { window: 60, max: 60 };
/** People type codes, and the people of an office share one address. */
const ENTER_LIMIT = { window: 60, max: 30 };

/** Stands in for the redirect URI in the reference of a consent to a device. No client can register it as one. */
const NO_REDIRECT = DEVICE_GRANT;

/**
 * The device authorization grant (RFC 8628). Better Auth issues codes and answers polls. Our endpoints replace Better
 * Auth's for viewing a code and deciding about it: those let anybody claim a code by viewing it, decide in several
 * steps, and do not know tenants. Devices have no sessions.
 */
export function deviceAuthorization({
  config,
  db,
  redis,
  now,
}: Pick<AuthDeps, "config" | "db" | "redis" | "now">): BetterAuthPlugin {
  const plugin = oauthDeviceAuthorization({
    expiresIn: "15m",
    interval: "5s",
    generateUserCode: newUserCode,
    verificationUri: `${config.BASE_URL}${AUTH_PAGES.device}`,
  });

  /** The code that a person typed, after a try was counted. */
  async function enteredCode(userId: string, typed: string): Promise<string> {
    const wait = await takeUserCodeTry({ redis, db }, userId);
    if (wait > 0) throw tooManyCodes(wait);
    const userCode = readUserCode(typed);
    if (userCode === undefined) throw noSuchCode();
    return userCode;
  }

  return {
    ...plugin,
    schema: {
      deviceCode: {
        ...plugin.schema.deviceCode,
        fields: {
          ...plugin.schema.deviceCode.fields,
          referenceId: { type: "string", required: false },
          redemption: { type: "string", required: false },
          redeemedAt: { type: "date", required: false },
        },
      },
    },
    init: (ctx) => {
      plugin.init(ctx);
      const provider = ctx.getPlugin("oauth-provider");
      if (provider) provider.options.extensions = (provider.options.extensions ?? []).map(withApprovals);
    },
    endpoints: {
      deviceCode: plugin.endpoints.deviceCode,
      waitingDevice: createAuthEndpoint(
        WAITING_DEVICE_PATH,
        { method: "POST", use: [ownSession], body: z.object({ userCode: z.string() }) },
        async (ctx) => {
          const { user } = ctx.context.session;
          const device = await waitingDevice(db, await enteredCode(user.id, ctx.body.userCode));
          if (!device) throw noSuchCode();
          return ctx.json(device);
        },
      ),
      decideDevice: createAuthEndpoint(
        DECIDE_DEVICE_PATH,
        {
          method: "POST",
          use: [ownSession],
          body: z.object({
            userCode: z.string(),
            accept: z.boolean(),
            tenantId: z.string().optional(),
            admin: z.boolean().optional(),
          }),
        },
        async (ctx) => {
          const { user, session } = ctx.context.session;
          const { accept, tenantId = "" } = ctx.body;
          const admin = ctx.body.admin === true && isAdministratorRole(user["role"]);
          const userCode = await enteredCode(user.id, ctx.body.userCode);
          if (accept && !(await actsIn(db, user.id, tenantId))) throw noMember();
          const by = { actor: personActor(user.id, session.id), now: now() };
          const reference = await consentReference(tenantId, NO_REDIRECT);
          const decided = accept
            ? await approveDevice(db, { userCode, tenantId, reference, admin, ...by })
            : await denyDevice(db, { userCode, ...by });
          if (!decided) throw noSuchCode();
          return ctx.json({ decided });
        },
      ),
    },
    rateLimit: [
      { pathMatcher: (path) => path === "/device/code", ...START_LIMIT },
      { pathMatcher: (path) => path === WAITING_DEVICE_PATH || path === DECIDE_DEVICE_PATH, ...ENTER_LIMIT },
    ],
  };
}

/** Binds the tokens of a device to what was approved, tenant and grant; Better Auth would leave both out. */
function withApprovals(extension: OAuthProviderExtension): OAuthProviderExtension {
  const exchange = extension.grants?.[DEVICE_GRANT];
  if (!exchange) return extension;
  const approved: typeof exchange = (input) =>
    exchange({
      ...input,
      provider: { ...input.provider, issueTokens: (issue) => issueApproved(input.provider, issue) },
    });
  return { ...extension, grants: { ...extension.grants, [DEVICE_GRANT]: approved } };
}

function issueApproved(provider: OAuthProviderApi, issue: OAuthTokenIssueParams) {
  const approval = currentTokenRequest()?.approval;
  if (!approval) throw new APIError("INTERNAL_SERVER_ERROR");
  // The framework identifies grants by their authorization codes.
  const issued = { ...issue, referenceId: approval.reference, authorizationCodeId: approval.grantId };
  return provider.issueTokens(issued);
}

/** The same answer for a code that never existed, has expired or was decided about, so that a guess reveals nothing. */
const noSuchCode = () =>
  new APIError("BAD_REQUEST", {
    code: "INVALID_USER_CODE",
    message: "This code is mistyped, expired or already used. Check it, or start again on the device.",
  });

const noMember = () =>
  new APIError("FORBIDDEN", { code: "NO_MEMBER", message: "You are not a member of this organization." });

const tooManyCodes = (seconds: number) =>
  new APIError(
    "TOO_MANY_REQUESTS",
    { code: "TOO_MANY_TRIES", message: "Too many codes were entered. Wait, then start again on the device." },
    { "X-Retry-After": String(seconds) },
  );
