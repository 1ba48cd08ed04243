import { describe, expect, it } from "vitest";
import { isMarked, markOf } from "../../../src/accounts/browser-mark.ts";
import { knownDevice, rememberAccount } from "../../../src/accounts/known-device.ts";

const SECRETS = ["newest secret", "older secret"];

describe("the cookie of a known browser", () => {
  it("knows the accounts that it was made for, however they are spelled, and no others", async () => {
    const one = await rememberAccount(SECRETS, null, "ann@example.com");
    const both = await rememberAccount(SECRETS, one, "bob@example.com");
    const id = await knownDevice(SECRETS, both, "ann@example.com");
    expect(id).toMatch(/^[\w-]{22}$/);
    expect(await knownDevice(SECRETS, both, "Bob@Example.com")).toBe(id);
    expect(await knownDevice(SECRETS, both, "eve@example.com")).toBeUndefined();
    expect(await knownDevice(SECRETS, one, "bob@example.com")).toBeUndefined();
  });

  it("is good under an older secret and not under a foreign one", async () => {
    const made = await rememberAccount(["older secret"], null, "ann@example.com");
    expect(await knownDevice(SECRETS, made, "ann@example.com")).toBeDefined();
    expect(await knownDevice(["another"], made, "ann@example.com")).toBeUndefined();
  });

  it("keeps the five accounts that signed in last, each once", async () => {
    let cookie: string | null = null;
    for (const name of ["a", "b", "c", "d", "e", "e", "f"])
      cookie = await rememberAccount(SECRETS, cookie, `${name}@example.com`);
    const known = await Promise.all(
      ["a", "b", "c", "d", "e", "f"].map(
        async (name) => (await knownDevice(SECRETS, cookie, `${name}@example.com`)) !== undefined,
      ),
    );
    expect(known).toEqual([false, true, true, true, true, true]);
  });

  it.each([undefined, null, "", "x", "a".repeat(22), `${"a".repeat(22)}.${"b".repeat(42)}`, "a".repeat(5000)])(
    "is none in the form %j, and is made anew",
    async (cookie) => {
      expect(await knownDevice(SECRETS, cookie, "ann@example.com")).toBeUndefined();
      const made = await rememberAccount(SECRETS, cookie, "ann@example.com");
      expect(await knownDevice(SECRETS, made, "ann@example.com")).toBeDefined();
    },
  );
});

describe("the mark of a browser on a link", () => {
  it("I13: fits the link and the browser that it was made for, under any of the secrets", async () => {
    const mark = await markOf(["older secret"], "token", "cookie");
    expect(await isMarked(SECRETS, "token", "cookie", mark)).toBe(true);
    for (const [token, cookie, given] of [
      ["other", "cookie", mark],
      ["token", "other", mark],
      ["token", undefined, mark],
      ["token", "", await markOf(["older secret"], "token", "")],
      ["token", "cookie", undefined],
      ["token", "cookie", ""],
    ] as const)
      expect(await isMarked(SECRETS, token, cookie, given)).toBe(false);
  });
});
