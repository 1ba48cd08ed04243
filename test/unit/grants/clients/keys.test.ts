import { exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { clientKeysProblem } from "../../../../src/grants/clients/keys.ts";

async function key(alg = "ES256", fields: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const { publicKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(publicKey)), ...fields };
}

describe("the keys of a client", () => {
  it.each(["ES256", "ES384", "ES512", "EdDSA", "RS256", "PS256"])("may be for %s, and may say so", async (alg) => {
    expect(await clientKeysProblem({ keys: [await key(alg)] })).toBeUndefined();
    expect(await clientKeysProblem({ keys: [await key(alg, { alg, use: "sig", kid: "1" })] })).toBeUndefined();
  });

  it("may be several, each with an id of its own", async () => {
    const [first, second] = [await key(), await key()];
    expect(
      await clientKeysProblem({
        keys: [
          { ...first, kid: "1" },
          { ...second, kid: "2" },
        ],
      }),
    ).toBeUndefined();
    for (const keys of [
      [first, second],
      [
        { ...first, kid: "1" },
        { ...second, kid: "1" },
      ],
      [{ ...first, kid: "1" }, second],
    ])
      expect(await clientKeysProblem({ keys })).toContain("kid");
  });

  it("D09: are public, of a kind that signs, and can be read", async () => {
    const good = await key();
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const rsa = await key("RS256");
    const cases: [Record<string, unknown>, string][] = [
      [await exportJWK(privateKey), "public"],
      [{ kty: "oct", k: "c2VjcmV0" }, "public"],
      [{ kty: "oct" }, "EC"],
      [{}, "EC"],
      [{ ...good, crv: "secp256k1" }, "EC"],
      [{ kty: "OKP", crv: "X25519", x: "AAAA" }, "EC"],
      [{ ...good, alg: "ES384" }, "alg"],
      [{ ...good, alg: "none" }, "alg"],
      [{ ...good, alg: 7 }, "alg"],
      [{ ...rsa, alg: "HS256" }, "alg"],
      [{ ...good, use: "enc" }, "use"],
      [{ ...good, x: good["y"] }, "cannot be read"],
      [{ ...good, x: undefined }, "cannot be read"],
      [{ ...rsa, n: "AQAB" }, "2048"],
      [{ ...rsa, n: 7 }, "2048"],
      [{ ...rsa, n: "A".repeat(2_000) }, "2048"],
    ];
    for (const [bad, problem] of cases) expect(await clientKeysProblem({ keys: [bad] })).toContain(problem);
  });

  it("D09: are between one and ten", async () => {
    expect(await clientKeysProblem({ keys: [] })).toContain("one");
    const one = await key();
    expect(
      await clientKeysProblem({ keys: Array.from({ length: 11 }, (_none, i) => ({ ...one, kid: `${i}` })) }),
    ).toContain("10");
  });
});
