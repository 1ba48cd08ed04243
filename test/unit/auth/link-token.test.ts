import { describe, expect, it } from "vitest";
import { accountState, issueLinkToken, readLinkToken, type LinkClaims } from "../../../src/auth/link-token.ts";

const SECRETS = ["kT2v9XqLmR4sWz8yBcD1fGhJ3nPaUeVoIi5Y7K0Q6rxS"];
const CLAIMS: LinkClaims = { purpose: "reset", userId: "u1", address: null, expiresAt: 1000, state: "s" };

describe("the token of a link", () => {
  it("carries what the link is for, under any of the secrets", async () => {
    const token = await issueLinkToken(SECRETS, CLAIMS);
    expect(await readLinkToken(SECRETS, "reset", token, 999)).toEqual(CLAIMS);
    expect(await readLinkToken(["newer", ...SECRETS], "reset", token, 999)).toEqual(CLAIMS);
  });

  it("I08: is nothing to others: another purpose, another secret, later, changed, cut off", async () => {
    const token = await issueLinkToken(SECRETS, CLAIMS);
    const [payload = "", mac = ""] = token.split(".");
    const other = Buffer.from(JSON.stringify({ ...CLAIMS, userId: "u2" })).toString("base64url");
    expect(await readLinkToken(SECRETS, "address", token, 0)).toBeUndefined();
    expect(await readLinkToken(["another secret"], "reset", token, 0)).toBeUndefined();
    expect(await readLinkToken(SECRETS, "reset", token, 1000)).toBeUndefined();
    for (const bad of [`${other}.${mac}`, payload, `${payload}.`, `.${mac}`, `${token}A`, ` ${token}`, "", "é.é"])
      expect(await readLinkToken(SECRETS, "reset", bad, 0)).toBeUndefined();
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
