import { describe, expect, it } from "vitest";
import { accountState, addressLink, resetLink } from "../../../src/accounts/link-token.ts";

const SECRETS = ["kT2v9XqLmR4sWz8yBcD1fGhJ3nPaUeVoIi5Y7K0Q6rxS"];
const CLAIMS = { userId: "u1", address: "a@example.com", state: "s" };

describe("the token of a link", () => {
  it("I08: carries what the link is for, and is nothing to a link for something else", async () => {
    const address = await addressLink.sign(SECRETS, CLAIMS, 1_000);
    expect(await addressLink.read(SECRETS, address, 999)).toEqual(CLAIMS);
    expect(await resetLink.read(SECRETS, address, 999)).toBeUndefined();
    const reset = await resetLink.sign(SECRETS, { userId: "u1", state: "s" }, 1_000);
    expect(await resetLink.read(SECRETS, reset, 999)).toEqual({ userId: "u1", state: "s" });
    expect(await addressLink.read(SECRETS, reset, 999)).toBeUndefined();
  });
});

describe("the state of an account", () => {
  it("changes with its address and with its password", async () => {
    const account = { email: "a@example.com", password: "hash" };
    const states = await Promise.all(
      [
        account,
        { ...account, email: "b@example.com" },
        { ...account, password: "other" },
        { ...account, password: null },
      ].map(accountState),
    );
    expect(new Set(states).size).toBe(4);
    expect(await accountState({ ...account })).toBe(states[0]);
  });
});
