import { APIError } from "better-auth/api";
import { PASSWORD_LENGTH } from "../../accounts/sign-up.ts";

/** Refuses a password that is too short or too long, with Better Auth's codes. */
export function checkNewPassword(password: string): void {
  if (password.length < PASSWORD_LENGTH.min)
    throw new APIError("BAD_REQUEST", { code: "PASSWORD_TOO_SHORT", message: "Password too short" });
  if (password.length > PASSWORD_LENGTH.max)
    throw new APIError("BAD_REQUEST", { code: "PASSWORD_TOO_LONG", message: "Password too long" });
}
