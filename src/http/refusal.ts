import { dpopChallenge, WRONG_SCHEME } from "../access/dpop-challenge.ts";
import type { AccessRefusal } from "../access/refusal.ts";
import { AppError } from "../platform/errors.ts";

const notAdministrator = () => new AppError("forbidden", "Only administrators of this gateway can do this.");

/** A refusal as an error of this plane: problem details, with the challenge of RFC 6750 where one is required. */
export function toError(refusal: AccessRefusal): AppError {
  switch (refusal.kind) {
    case "no_credential":
      return new AppError("unauthenticated", "Send an API key in the x-api-key header, or a bearer access token.", {
        headers: { "www-authenticate": "Bearer" },
      });
    case "several_credentials":
      return new AppError(
        "invalid_request",
        "Send exactly one credential: an Authorization header or an x-api-key header.",
      );
    case "credential_in_url":
      return new AppError("invalid_request", "Credentials in the URL are not accepted. Send them in a header.");
    case "invalid_credential":
      return new AppError(
        "invalid_credential",
        "This credential is not valid: it is mistyped, expired, disabled or revoked.",
        {
          headers: {
            "www-authenticate":
              refusal.scheme === undefined ? 'Bearer error="invalid_token"' : dpopChallenge("invalid_token"),
          },
        },
      );
    case "malformed_credential":
      return new AppError("invalid_credential", refusal.problem, {
        headers: { "www-authenticate": 'Bearer error="invalid_token"' },
      });
    case "wrong_token_scheme":
      return new AppError("invalid_credential", WRONG_SCHEME[refusal.presented], {
        headers: { "www-authenticate": dpopChallenge("invalid_token") },
      });
    case "invalid_dpop_proof":
      return new AppError("invalid_credential", refusal.problem, {
        headers: { "www-authenticate": dpopChallenge("invalid_dpop_proof") },
      });
    case "insufficient_scope":
      return new AppError("insufficient_scope", `This needs the scope ${refusal.required.join(" ")}.`, {
        headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${refusal.required.join(" ")}"` },
      });
    case "not_administrator":
      return notAdministrator();
    case "address_not_allowed":
      return new AppError(
        "forbidden",
        "This API key cannot be used from your IP address. Its owner limits the allowed addresses.",
      );
    case "not_on_list":
      return new AppError("not_found", "There is nothing with this name that this API key can use.");
    case "rate_limited": {
      const seconds = Math.max(1, Math.ceil(refusal.retryMs / 1000));
      const text = `The rate limit (${refusal.tier}) is reached. Try again in ${seconds} s.`;
      return new AppError("rate_limited", text, { headers: { "retry-after": String(seconds) } });
    }
    case "quota_exceeded":
      return new AppError("quota_exceeded", `The quota of this API key is used up (${refusal.quota.max} calls).`);
    default:
      return refusal satisfies never;
  }
}
