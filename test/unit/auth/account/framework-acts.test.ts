import { describe, expect, it } from "vitest";
import { frameworkAct } from "../../../../src/auth/account/framework-acts.ts";

const asked = (path: string, body: unknown, returned: unknown = {}) =>
  frameworkAct(path, { body, returned, userId: "user-1" });

describe("R11: what somebody does at an address of the framework", () => {
  it("is about the account that an administrator names, with the role or the length of the ban", () => {
    expect(asked("/admin/ban-user", { userId: "user-2", banReason: "a reason", banExpiresIn: 60 })).toEqual({
      event: "user.banned",
      ownerId: "user-2",
      target: "user-2",
      detail: { seconds: 60 },
    });
    expect(asked("/admin/set-role", { userId: "user-2", role: ["admin", "user"] })?.detail).toEqual({
      role: "admin,user",
    });
  });

  it("never holds a password or text that somebody chose", () => {
    const body = { userId: "user-2", newPassword: "secret", data: { name: "secret" }, banReason: "secret" };
    for (const path of ["/admin/set-user-password", "/admin/update-user", "/admin/ban-user"])
      expect(JSON.stringify(asked(path, body))).not.toContain("secret");
  });

  it("is about one's own key, by the id that was given or made", () => {
    const key = { ownerId: "user-1", target: "key-1", detail: {} };
    expect(asked("/api-key/create", { name: "Laptop" }, { id: "key-1", key: "secret" })).toEqual({
      event: "key.created",
      ...key,
    });
    expect(asked("/api-key/delete", { keyId: "key-1" }, { success: true })).toEqual({ event: "key.revoked", ...key });
  });

  it.each([
    ["/admin/list-users", { userId: "user-2" }],
    ["/admin/ban-user", {}],
    ["/admin/ban-user", "user-2"],
    ["/api-key/update", { keyId: 1 }],
    ["/get-session", null],
    ["constructor", { userId: "user-2" }],
  ])("is none at %s with %j", (path, body) => {
    expect(asked(path, body)).toBeUndefined();
  });
});
