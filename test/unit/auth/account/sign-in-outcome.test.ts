import { describe, expect, it } from "vitest";
import { passwordRefusal, providerRefusal, signInMethod } from "../../../../src/auth/account/sign-in-outcome.ts";

const ORIGIN = "https://gateway.example.com";

describe("the method of a sign-in", () => {
  it("is the password, or the provider that called back", () => {
    expect(signInMethod("/sign-in/email", undefined)).toBe("password");
    expect(signInMethod("/sign-up/email", undefined)).toBe("password");
    expect(signInMethod("/callback/:id", "github")).toBe("github");
  });

  it.each(["/change-password", "/confirm-new-email", "/admin/impersonate-user", undefined])("is none at %s", (path) => {
    expect(signInMethod(path, "github")).toBeUndefined();
  });
});

describe("why a password was refused", () => {
  it("tells unknown accounts from wrong passwords", () => {
    expect(passwordRefusal("INVALID_EMAIL_OR_PASSWORD", true)).toBe("wrong_password");
    expect(passwordRefusal("INVALID_EMAIL_OR_PASSWORD", false)).toBe("unknown_account");
    expect(passwordRefusal("EMAIL_NOT_VERIFIED", true)).toBe("unverified");
    expect(passwordRefusal("BANNED_USER", true)).toBe("banned");
  });

  it.each(["INVALID_EMAIL", "PASSWORD_TOO_LONG", "toString", undefined])("is nothing for %s", (code) => {
    expect(passwordRefusal(code, true)).toBeUndefined();
  });
});

describe("why a provider's sign-in was refused", () => {
  it.each([
    [`${ORIGIN}/error?error=access_denied`, "denied_at_provider"],
    ["/error?error=BANNED_USER", "banned"],
    ["/error?error=SIGN_UP_CLOSED&error_description=no", "sign_up_closed"],
    ["/error?error=anything%0Aat+all", "provider_error"],
    ["/error?error=constructor", "provider_error"],
    ["/error?error=", "provider_error"],
  ])("comes from %s as %s", (location, code) => {
    expect(providerRefusal(location, ORIGIN)).toBe(code);
  });

  it.each(["/dashboard", "", null, undefined, "http://["])("is nothing at %s", (location) => {
    expect(providerRefusal(location, ORIGIN)).toBeUndefined();
  });
});
