import { describe, expect, it } from "vitest";
import {
  isActive,
  isAdministratorRole,
  isManagerRole,
  isOwnerRole,
  isPersonalTenant,
  isRole,
  mayManageRole,
  NEW_USER_STANDING,
  personalTenantId,
  ROLES,
  systemRole,
} from "../../../src/identity/standing.ts";

const NOW = Date.UTC(2026, 10, 30);
const iso = (time: number) => new Date(time).toISOString();

describe("who is active", () => {
  it.each<[string, Record<string, unknown>, boolean]>([
    ["somebody of whom nothing is said", {}, true],
    ["somebody new", NEW_USER_STANDING, true],
    ["somebody who is not banned", { banned: false, banExpires: new Date(NOW + 1) }, true],
    ["somebody of whom it is not known", { banned: null }, true],
    ["somebody banned for good", { banned: true, banExpires: null }, false],
    ["somebody banned without a word about the end", { banned: true }, false],
    ["somebody banned until later", { banned: true, banExpires: new Date(NOW + 1) }, false],
    ["somebody banned until now", { banned: true, banExpires: new Date(NOW) }, false],
    ["somebody whose ban is over", { banned: true, banExpires: new Date(NOW - 1) }, true],
    ["somebody whose ban is over, as JSON says it", { banned: true, banExpires: iso(NOW - 1) }, true],
    ["somebody banned until later, as JSON says it", { banned: true, banExpires: iso(NOW + 1) }, false],
    ["somebody whose ban is over, in milliseconds", { banned: true, banExpires: NOW - 1 }, true],
    ["somebody banned until nobody knows when", { banned: true, banExpires: "soon" }, false],
    ["somebody banned until an invalid date", { banned: true, banExpires: new Date(Number.NaN) }, false],
  ])("%s", (_who, person, expected) => {
    expect(isActive(person, NOW)).toBe(expected);
  });
});

describe("who administers the gateway", () => {
  it("is whoever has that role, and nobody with another or none", () => {
    expect([systemRole(true), systemRole(false)].map(isAdministratorRole)).toEqual([true, false]);
    for (const role of [undefined, null, "", "owner", "administrator", "admin,user", true])
      expect(isAdministratorRole(role)).toBe(false);
  });
});

describe("roles in an organization", () => {
  it("are three", () => {
    expect(ROLES.filter(isRole)).toEqual(["owner", "admin", "member"]);
    expect(["", "Owner", "owner,admin", "toString"].filter(isRole)).toEqual([]);
  });

  it("of which two manage it and one owns it", () => {
    expect(ROLES.filter(isManagerRole)).toEqual(["owner", "admin"]);
    expect(ROLES.filter(isOwnerRole)).toEqual(["owner"]);
  });

  it("are given by owners, and those below owner by administrators", () => {
    const given = ROLES.map((actor) => [actor, ROLES.filter((other) => mayManageRole(actor, other))]);
    expect(given).toEqual([
      ["owner", ["owner", "admin", "member"]],
      ["admin", ["admin", "member"]],
      ["member", []],
    ]);
  });
});

describe("a personal organization", () => {
  it("is told from others by its id, which follows from the person's", () => {
    expect(personalTenantId("user-1")).toBe("personal-user-1");
    expect(isPersonalTenant(personalTenantId("user-1"))).toBe(true);
    for (const id of ["organization-1", "personal", "a-personal-1", ""]) expect(isPersonalTenant(id)).toBe(false);
  });
});
