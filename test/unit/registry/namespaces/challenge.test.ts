import { describe, expect, it } from "vitest";
import {
  challengeText,
  domainKeys,
  hasChallenge,
  keysAsProof,
  keysOfProof,
  signerOf,
} from "../../../../src/registry/namespaces/challenge.ts";
import { newSigner } from "../../../support/signers.ts";

const ED25519 = `${"A".repeat(43)}=`;
const P384 = `A${"A".repeat(64)}A`.slice(0, 66);

describe("key records of a domain", () => {
  it.each([
    [`v=MCPv1; k=ed25519; p=${ED25519}`, 1],
    [`v=MCPv1;k=ed25519;p=${ED25519}`, 1],
    [`v=MCPv1; k=ed25519; p=${ED25519}; note=ours`, 1],
    [`v=MCPv2; k=ed25519; p=${ED25519}`, 0],
    [`v=MCPv1; k=rsa; p=${ED25519}`, 0],
    [`v=MCPv1; k=ecdsap384; p=${ED25519}`, 0],
    [`v=MCPv1; k=ed25519; p=${P384}==`, 0],
    [`x v=MCPv1; k=ed25519; p=${ED25519}`, 0],
    ["v=MCPv1; k=ed25519; p=", 0],
    ["", 0],
  ])("of %j are %i", (line, count) => {
    expect(domainKeys([line])).toHaveLength(count);
  });

  it("are at most ten", () => {
    expect(domainKeys(Array.from({ length: 100 }, () => `v=MCPv1; k=ed25519; p=${ED25519}`))).toHaveLength(10);
  });

  it("are kept with a namespace and read again", async () => {
    const records = [(await newSigner("ed25519")).record, (await newSigner("ecdsap384")).record];
    const keys = domainKeys(records);
    expect(keys).toHaveLength(2);
    expect(keysOfProof(keysAsProof(keys))).toEqual(keys);
    expect([keysAsProof([]), keysOfProof(null), keysOfProof("github-id=1")]).toEqual([null, [], []]);
  });
});

describe("a signature", () => {
  it.each(["ed25519", "ecdsap384"] as const)(
    "by %s is known by the key that made it, for many keys",
    async (algorithm) => {
      for (let round = 0; round < 8; round++) {
        const [one, other] = [await newSigner(algorithm), await newSigner(algorithm)];
        const keys = domainKeys([other.record, one.record]);
        expect(await signerOf(keys, "a message", await one.sign("a message"))).toEqual(keys[1]);
        expect(await signerOf(keys, "another", await one.sign("a message"))).toBeUndefined();
        expect(await signerOf(keys.slice(0, 1), "a message", await one.sign("a message"))).toBeUndefined();
      }
    },
  );

  it.each(["", "0", "zz", "00".repeat(64), "00".repeat(96), "00".repeat(1000)])("%# is not one", async (signature) => {
    const keys = domainKeys([(await newSigner("ed25519")).record, (await newSigner("ecdsap384")).record]);
    expect(await signerOf(keys, "a message", signature)).toBeUndefined();
  });

  it("is by no point that is not on the curve", async () => {
    const signer = await newSigner("ecdsap384");
    const bytes = (first: number, rest: number) =>
      btoa(String.fromCharCode(first, ...Array.from({ length: 48 }, () => rest)));
    for (const publicKey of [bytes(2, 255), bytes(4, 1), bytes(2, 0), bytes(3, 7)])
      expect(await signerOf([{ algorithm: "ecdsap384", publicKey }], "m", await signer.sign("m"))).toBeUndefined();
  });
});

describe("the claim of a namespace", () => {
  it("is of one tenant and one namespace, and outlives a rotation of the secret", async () => {
    const place = { tenantId: "t1", namespace: "com.example" };
    const line = await challengeText(["old"], "t1", "com.example");
    expect(await hasChallenge(["new", "old"], ["x", line], place)).toBe(true);
    expect(await hasChallenge(["new"], [line], place)).toBe(false);
    expect(await hasChallenge(["old"], [line], { ...place, tenantId: "t2" })).toBe(false);
    expect(await hasChallenge(["old"], [line], { ...place, namespace: "com.example.a" })).toBe(false);
    expect(await hasChallenge(["old"], [`${line}x`, ""], place)).toBe(false);
  });
});
