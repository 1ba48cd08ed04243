import { base64url, generateKeyPair, exportJWK, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { verifyProof, type ProofSubject } from "../../../../src/access/credential/dpop.ts";
import { dpopChallenge } from "../../../../src/access/dpop-challenge.ts";
import { newProofKey, proofFor } from "../../../support/proofs.ts";

const NOW = 1_800_000_000_000;
const URL_ASKED = "https://gateway.example.com/mcp";
const TOKEN = "header.payload.signature";
const key = await newProofKey();
const other = await newProofKey();

const request = { url: URL_ASKED, token: TOKEN, at: NOW };
const subject: ProofSubject = { accessToken: TOKEN, thumbprint: key.thumbprint };

const check = (jwt: string | undefined, of: ProofSubject = subject, now = NOW, method = "POST") =>
  verifyProof({ jwt, method, url: URL_ASKED }, of, now);

async function problemOf(jwt: string | undefined, of: ProofSubject = subject): Promise<string> {
  const checked = await check(jwt, of);
  if (!("problem" in checked)) throw new Error("the proof was accepted");
  return checked.problem;
}

describe("a proof of possession (RFC 9449 §4.3)", () => {
  it("is good for its request, token and key", async () => {
    expect(await check(await proofFor(key, request))).toEqual({
      thumbprint: key.thumbprint,
      id: expect.stringMatching(/^[\w-]{43}$/),
      seconds: 90,
    });
  });

  it("may be signed by an Ed25519 key", async () => {
    const edwards = await newProofKey("EdDSA");
    const proof = await proofFor(edwards, request);
    expect(await check(proof, { ...subject, thumbprint: edwards.thumbprint })).toHaveProperty("id");
  });

  it("needs no token and no known key where the token is being made", async () => {
    const proof = await proofFor(key, { url: URL_ASKED, at: NOW });
    expect(await check(proof, {})).toMatchObject({ thumbprint: key.thumbprint });
  });

  it("is another one with another jti or key, and the same whatever else it says", async () => {
    const idOf = async (proof: string, of = subject) => {
      const checked = await check(proof, of);
      return "id" in checked ? checked.id : checked.problem;
    };
    const first = await idOf(await proofFor(key, request, { jti: "1" }));
    expect(await idOf(await proofFor(key, request, { jti: "1", extra: "x" }))).toBe(first);
    expect(await idOf(await proofFor(key, request, { jti: "2" }))).not.toBe(first);
    const elsewhere = await proofFor(other, request, { jti: "1" });
    expect(await idOf(elsewhere, { ...subject, thumbprint: other.thumbprint })).not.toBe(first);
  });

  it.each([
    ["with a query", `${URL_ASKED}?x=1`],
    ["with a fragment", `${URL_ASKED}#x`],
    ["with its host in capitals and its port", "HTTPS://Gateway.EXAMPLE.com:443/mcp"],
  ])("may name its address %s", async (_what, htu) => {
    expect(await check(await proofFor(key, request, { htu }))).toHaveProperty("id");
  });

  it("may have to be less far ahead", async () => {
    const proof = await proofFor(key, request, { iat: NOW / 1000 + 6 });
    expect(await check(proof, { ...subject, aheadSeconds: 6 })).toHaveProperty("id");
    expect(await check(proof, { ...subject, aheadSeconds: 5 })).toHaveProperty("problem");
  });

  it.each([-60, -59, 0, 59, 60])(
    "may be of %i seconds from now, and is remembered until it could not be used",
    async (offset) => {
      const checked = await check(await proofFor(key, request, { iat: NOW / 1000 + offset }));
      expect(checked).toMatchObject({ seconds: 90 + offset });
    },
  );
});

describe("K03: a proof that does not fit", () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    ["another method", { htm: "GET" }, /htm/],
    ["its method in small letters", { htm: "post" }, /htm/],
    ["no method", { htm: undefined }, /htm/],
    ["another path", { htu: `${URL_ASKED}/notes` }, /htu/],
    ["a slash more", { htu: `${URL_ASKED}/` }, /htu/],
    ["another host", { htu: "https://evil.example.com/mcp" }, /htu/],
    ["another scheme", { htu: "http://gateway.example.com/mcp" }, /htu/],
    ["an address that is none", { htu: "/mcp" }, /htu/],
    ["no address", { htu: undefined }, /htu/],
    ["an address that is a list", { htu: [URL_ASKED] }, /htu/],
    ["a time too long ago", { iat: NOW / 1000 - 61 }, /iat/],
    ["a time too far ahead", { iat: NOW / 1000 + 61 }, /iat/],
    ["no time", { iat: undefined }, /iat/],
    ["no jti", { jti: undefined }, /jti/],
    ["an empty jti", { jti: "" }, /jti/],
    ["a jti that is a number", { jti: 7 }, /jti/],
    ["no hash of the token", { ath: undefined }, /ath/],
    ["the hash of another token", { ath: "x".repeat(43) }, /ath/],
  ])("K03: names %s", async (_what, changed, problem) => {
    expect(await problemOf(await proofFor(key, request, changed))).toMatch(problem);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["no type", { typ: undefined }, /typ/],
    ["the type of an access token", { typ: "at+jwt" }, /typ/],
    ["no key", { jwk: undefined }, /jwk/],
    ["a list of keys", { jwk: [key.jwk] }, /jwk/],
    ["a private key", { jwk: key.secretJwk }, /private/],
    ["a secret", { jwk: { kty: "oct", k: "c2VjcmV0" } }, /private/],
    ["an extension that must be understood", { crit: ["exp"], exp: 1 }, /signature/],
  ])("K03: has %s in its header", async (_what, header, problem) => {
    expect(await problemOf(await forged(header))).toMatch(problem);
  });

  it.each(["none", "HS256", "RS256", "PS256", "ES384", undefined, 7])("K03: says its alg is %j", async (alg) => {
    expect(await problemOf(await forged({ alg }))).toMatch(/alg/);
  });

  it("K03: is of a key that the token is not bound to", async () => {
    expect(await problemOf(await proofFor(other, request))).toMatch(/different key/);
  });

  it("K03: names the right key and is signed by another", async () => {
    expect(await problemOf(await proofFor(other, request, {}, { jwk: key.jwk }))).toMatch(/signature/);
  });

  it("K03: was changed after it was signed", async () => {
    const [header, , signature] = (await proofFor(key, request)).split(".");
    const [, payload] = (await proofFor(key, request)).split(".");
    expect(await problemOf([header, payload, signature].join("."))).toMatch(/signature/);
  });

  it("K03: has a key on no curve", async () => {
    const { thumbprint } = await newProofKey();
    const jwk = { kty: "EC", crv: "P-256", x: "AA", y: "AA" };
    expect(await problemOf(await forged({ jwk }), { accessToken: TOKEN })).toMatch(/signature/);
    expect(await problemOf(await forged({ jwk }), { thumbprint })).toMatch(/different key/);
  });

  it("K03: has expired by its own word", async () => {
    expect(await problemOf(await proofFor(key, request, { exp: NOW / 1000 - 61 }))).toMatch(/signature/);
  });

  it.each([
    undefined,
    "",
    "x",
    "a.b",
    "a.b.c",
    "a.b.c.d",
    "a.b.c, d.e.f",
    `${base64url.encode("{}")}.${base64url.encode("{}")}.`,
    `${base64url.encode("null")}.e30.AA`,
    "x".repeat(10_000),
  ])("K03: is none: %.40j", async (jwt) => {
    expect(await problemOf(jwt)).toMatch(/^[A-Z].*\.$/);
  });

  it("K03: came twice", async () => {
    const headers = new Headers();
    for (let i = 0; i < 2; i++) headers.append("dpop", await proofFor(key, request));
    expect(await problemOf(headers.get("dpop") ?? "")).toMatch(/exactly one/);
  });

  it("K03: is an access token or an RSA signature in disguise", async () => {
    const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
    const jwt = await new SignJWT({ htm: "POST", htu: URL_ASKED, jti: "1", iat: NOW / 1000 })
      .setProtectedHeader({ alg: "RS256", typ: "dpop+jwt", jwk: await exportJWK(publicKey) })
      .sign(privateKey);
    expect(await problemOf(jwt, {})).toMatch(/alg/);
  });
});

describe("the challenge for a client that binds its tokens", () => {
  it("names the error, the algorithms and where to read more", () => {
    expect(dpopChallenge("invalid_dpop_proof")).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
    expect(dpopChallenge("invalid_token", "https://gateway.example.com/x")).toBe(
      'DPoP error="invalid_token", algs="ES256 EdDSA", resource_metadata="https://gateway.example.com/x"',
    );
  });
});

/** A proof whose header nobody would sign, under a signature of the right form. */
async function forged(header: Readonly<Record<string, unknown>>): Promise<string> {
  const [, payload, signature] = (await proofFor(key, request)).split(".");
  const members = { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk, ...header };
  return [base64url.encode(JSON.stringify(members)), payload, signature].join(".");
}
