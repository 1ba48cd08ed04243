import { describe, expect, it } from "vitest";
import { maySignUp, userProblem } from "../../../src/accounts/sign-up.ts";
import type { SignUpPolicy } from "../../../src/platform/settings.ts";

const OPEN: SignUpPolicy = { kind: "open" };
const INVITE: SignUpPolicy = { kind: "invite" };
const DOMAINS: SignUpPolicy = { kind: "domains", domains: ["example.com", "mail.example.org"] };

const may = (policy: SignUpPolicy, email: string, admins: readonly string[] = []) =>
  maySignUp({ SIGN_UP: policy, ADMIN_EMAILS: [...admins] }, email);

describe("opening an account", () => {
  it("is for everyone where sign-up is open", () => {
    expect(may(OPEN, "ann@anywhere.example.net")).toBe(true);
  });

  it("is for nobody without an invitation where it is by invitation", () => {
    expect(may(INVITE, "ann@example.com")).toBe(false);
  });

  it.each([
    "ann@example.com",
    "Ann@Example.COM",
    "ann@mail.example.org",
    "ann+tag@example.com",
    '"ann@home"@example.com',
  ])("is for addresses of the listed domains: %s", (email) => {
    expect(may(DOMAINS, email)).toBe(true);
  });

  it.each([
    "ann@example.org",
    "ann@sub.example.com",
    "ann@notexample.com",
    "ann@example.com.evil.example",
    "ann@example.com@evil.example",
    "example.com@evil.example",
    "ann@evil.example?@x",
    "ann@",
    "ann",
    "ann@example.com ",
    "",
  ])("is for no other address: %j", (email) => {
    expect(may(DOMAINS, email)).toBe(false);
  });

  it.each([OPEN, INVITE, DOMAINS])("is for administrators under every policy: $kind", (policy) => {
    expect(may(policy, "Root@Admin.Example", ["root@admin.example"])).toBe(true);
  });

  it("is not for an address that only looks like an administrator's", () => {
    const admins = ["root@admin.example"];
    const close = ["oot@admin.example", "root@admin.example.evil.example", "root@admin", "root+x@admin.example"];
    expect(close.filter((email) => may(INVITE, email, admins))).toEqual([]);
  });
});

describe("I10: a name and an address", () => {
  it.each([
    {},
    { name: "" },
    { name: "Zoë 你好 👋 O'Hara <b>" },
    { name: "x".repeat(100) },
    { email: "ann@example.com" },
    { email: `${"x".repeat(242)}@example.com` },
  ])("I10: may be %j", (user) => {
    expect(userProblem(user)).toBeUndefined();
  });

  it.each(["x".repeat(101), "a\r\nBcc: eve@evil.example", "a\u0000", "a\u001b[31m", "a\u007f", "a\u009b", "\t"])(
    "I10: may not have the name %j",
    (name) => {
      expect(userProblem({ name, email: "ann@example.com" })).toMatch(/^Choose a name of at most 100 characters/);
    },
  );

  it("I10: may not have an address that no mail server takes", () => {
    expect(userProblem({ name: "Ann", email: `${"x".repeat(243)}@example.com` })).toMatch(/at most 254 characters/);
  });
});
