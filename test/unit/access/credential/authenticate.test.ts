import { describe, expect, it } from "vitest";
import { authenticate, tokenHasEnded, type AuthenticateDeps } from "../../../../src/access/credential/authenticate.ts";
import type { PresentedCredential } from "../../../../src/access/credential/credential.ts";
import { recordMemory } from "../../../../src/access/credential/memory.ts";
import { failedAttempts } from "../../../../src/access/failed-attempts.ts";
import type { VerifiedToken } from "../../../../src/access/credential/access-token.ts";
import type { GrantDeps } from "../../../../src/grants/revocation.ts";
import { generateApiKey } from "../../../../src/keys/token.ts";
import { localBuckets } from "../../../../src/limits/local.ts";
import { sha256 } from "../../../../src/platform/crypto.ts";
import { newProofKey, proofFor } from "../../../support/proofs.ts";
import { NOW, TOKEN_PRINCIPAL, tokenClaim, versioned } from "../credentials.ts";

const RESOURCE = "https://gateway.example.com/mcp";
const ADDRESS = "192.0.2.1";
const LIMIT = { perMinute: 60, burst: 3 };
const clientKey = await newProofKey();

/** An isolate that keeps what its verifier was asked; all there is to ask, as admission does the I/O. */
function isolate(verified: VerifiedToken | { reason: string } = { reason: "ERR_JWT_EXPIRED" }) {
  const asked: string[] = [];
  const memory = recordMemory(10);
  const deps: AuthenticateDeps = {
    verifyAccessToken: async (token, resource) => {
      asked.push(`${token} for ${resource}`);
      return verified;
    },
    failedAttempts: failedAttempts(localBuckets(10), LIMIT),
    memory,
    acceptsLegacyKeys: false,
  };
  return { asked, deps, memory };
}

const present = (deps: AuthenticateDeps, presented: PresentedCredential, resource = RESOURCE) =>
  authenticate(deps, presented, { resource, address: ADDRESS }, NOW);
const withKey = (deps: AuthenticateDeps, key = generateApiKey()) => present(deps, { kind: "api_key", key });
const withToken = (deps: AuthenticateDeps) => present(deps, { kind: "access_token", token: "t" }, `${RESOURCE}/notes`);

/** Makes the address fail until it is shut out. */
function shutOut({ failedAttempts: who }: AuthenticateDeps): void {
  for (let n = 0; n < LIMIT.burst; n++) who.failed(ADDRESS, NOW);
}

const refusal = (presented: string, reason: string) => ({ refusal: { kind: "invalid_credential", presented, reason } });
const badForm = refusal("api_key", "wrong form or checksum");
const limited = { refusal: { kind: "rate_limited", tier: "address", retryMs: 1_000 } };

describe("R8: a caller with an API key", () => {
  it("R8: claims it by its hash, at the cost of no request", async () => {
    const { deps, asked } = isolate();
    const key = generateApiKey();
    expect(await withKey(deps, key)).toEqual({ credential: { kind: "api_key", key, hash: await sha256(key) } });
    expect(asked).toEqual([]);
  });

  it.each(["", "mrg_live_", "mrg_live_short", "x".repeat(65_536), "eyJhbGciOiJFUzI1NiJ9.e30.x"])(
    "J05: costs no request when the key has another form: %.20j",
    async (key) => {
      const { asked, deps } = isolate();
      expect(await withKey(deps, key)).toEqual(badForm);
      expect(asked).toEqual([]);
    },
  );

  it.each([false, true])(
    "J05: costs no request when the checksum is wrong, with keys of old (%j)",
    async (isLegacy) => {
      const { asked, deps } = isolate();
      const key = generateApiKey();
      const wrong = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
      expect(await withKey({ ...deps, acceptsLegacyKeys: isLegacy }, wrong)).toEqual(badForm);
      expect(asked).toEqual([]);
    },
  );

  it.each([
    ["a key of the old system", `reg_${"a".repeat(40)}`, true],
    ["one as short as may be", "a".repeat(16), true],
    ["one too short", "a".repeat(15), false],
    ["one as long as may be", "a".repeat(512), true],
    ["one too long", "a".repeat(513), false],
    ["one with a space", `reg_${"a".repeat(20)} a`, false],
    ["one with a line break", `reg_${"a".repeat(20)}\n`, false],
    ["one with letters of other alphabets", `reg_${"ä".repeat(20)}`, false],
  ])("R19: is looked up as of old only while such keys are accepted: %s", async (_what, key, mayExist) => {
    const { deps } = isolate();
    expect(await withKey(deps, key)).toEqual(badForm);
    const answer = await withKey({ ...deps, acceptsLegacyKeys: true }, key);
    expect(answer).toEqual(mayExist ? { credential: { kind: "api_key", key, hash: await sha256(key) } } : badForm);
  });
});

describe("R8: a caller with an access token", () => {
  it("R8: is verified for the resource that was asked for", async () => {
    const { asked, deps } = isolate();
    expect(await withToken(deps)).toEqual(refusal("access_token", "ERR_JWT_EXPIRED"));
    expect(asked).toEqual([`t for ${RESOURCE}/notes`]);
  });

  it("R8: claims what its token says of the grant, and of the administrator's client that it was given to", async () => {
    for (const clientGrantId of [undefined, "managed-1"]) {
      const verified = { principal: TOKEN_PRINCIPAL, clientGrantId };
      const { credential } = (await withToken(isolate(verified).deps)) as { credential: object };
      expect(credential).toEqual({
        ...tokenClaim(clientGrantId === undefined ? {} : { clientGrantId }),
        verified,
      });
    }
  });

  it.each([{ grantId: null }, { clientId: null }])(
    "R8: is refused when the token belongs to no grant: %j",
    async (change) => {
      const { deps } = isolate({ principal: { ...TOKEN_PRINCIPAL, ...change } });
      expect(await withToken(deps)).toEqual(refusal("access_token", "no grant"));
    },
  );

  it("R8: is not let through when the keys that verify it cannot be had", async () => {
    const { deps } = isolate();
    const verifyAccessToken = async () => Promise.reject(new Error("Postgres does not answer"));
    await expect(withToken({ ...deps, verifyAccessToken })).rejects.toThrow("Postgres does not answer");
  });
});

describe("a caller with an access token that is bound to a key", () => {
  const url = `${RESOURCE}/notes`;
  const bound = { principal: TOKEN_PRINCIPAL, thumbprint: clientKey.thumbprint };

  const prove = async (deps: AuthenticateDeps, by = clientKey, at = NOW) => {
    const proof = { jwt: await proofFor(by, { url, token: "t", at }), method: "POST", url };
    return present(deps, { kind: "access_token", token: "t", proof }, url);
  };

  it("claims it with a proof of that key, which admission spends", async () => {
    const answer = await prove(isolate(bound).deps);
    expect(answer).toMatchObject({
      credential: { proof: { thumbprint: clientKey.thumbprint, seconds: expect.any(Number) } },
    });
  });

  it("K03: is refused without the scheme that carries a proof", async () => {
    expect(await withToken(isolate(bound).deps)).toEqual({
      refusal: { kind: "wrong_token_scheme", presented: "Bearer" },
    });
  });

  it("K03: is refused with a proof of another key, or of another time", async () => {
    expect(await prove(isolate(bound).deps, await newProofKey())).toMatchObject({
      refusal: { kind: "invalid_dpop_proof" },
    });
    expect(await prove(isolate(bound).deps, clientKey, NOW - 3_600_000)).toMatchObject({
      refusal: { kind: "invalid_dpop_proof" },
    });
  });

  it("K03: is refused when the token is bound to nothing and comes with a proof all the same", async () => {
    expect(await prove(isolate({ principal: TOKEN_PRINCIPAL }).deps)).toEqual({
      refusal: { kind: "wrong_token_scheme", presented: "DPoP" },
    });
  });

  it("K03: is told in its own scheme that the token is not good", async () => {
    expect(await prove(isolate().deps)).toMatchObject({ refusal: { kind: "invalid_credential", scheme: "DPoP" } });
  });
});

describe("R10: an address that keeps failing", () => {
  const BAD = "mrg_live_short";

  it("R10: is shut out by keys of a bad form and by bad tokens, counted together", async () => {
    const { deps } = isolate();
    const answers = [
      await withKey(deps, BAD),
      await withToken(deps),
      await withKey(deps, BAD),
      await withKey(deps, BAD),
    ];
    expect(answers.map((answer) => "refusal" in answer && answer.refusal.kind)).toEqual([
      "invalid_credential",
      "invalid_credential",
      "invalid_credential",
      "rate_limited",
    ]);
  });

  it("R10: is told when to come back, and then may try", async () => {
    const { deps } = isolate();
    shutOut(deps);
    expect(await withKey(deps, BAD)).toMatchObject(limited);
    const later = { resource: RESOURCE, address: ADDRESS };
    expect(await authenticate(deps, { kind: "api_key", key: BAD }, later, NOW + 1_000)).toEqual(badForm);
  });

  it("R10: has no token verified, good or bad: that costs more than all the rest", async () => {
    const { deps, asked } = isolate({ principal: TOKEN_PRINCIPAL });
    shutOut(deps);
    expect(await withToken(deps)).toMatchObject(limited);
    expect(asked).toEqual([]);
  });

  it("R10: may use a key that this isolate knows, and no other", async () => {
    const { deps, memory } = isolate();
    const known = generateApiKey();
    memory.set(`mrg1:key:${await sha256(known)}`, versioned(), NOW);
    shutOut(deps);
    expect(await withKey(deps, known)).toHaveProperty("credential");
    expect(await withKey(deps, generateApiKey())).toMatchObject(limited);
  });

  it("R10: shuts no other address out", async () => {
    const { deps } = isolate();
    shutOut(deps);
    const other = { resource: RESOURCE, address: "192.0.2.2" };
    expect(await authenticate(deps, { kind: "api_key", key: generateApiKey() }, other, NOW)).toHaveProperty(
      "credential",
    );
  });

  it("R10: is not counted for keys of a good form: whether they exist, admission finds", async () => {
    const { deps } = isolate();
    for (let n = 0; n < 20; n++) await withKey(deps);
    expect(await withKey(deps)).toHaveProperty("credential");
  });
});

describe("R8: a token whose time is not up", () => {
  /** Grants that have ended; `asked` are those that were looked at. */
  function grants(...ended: string[]) {
    const asked: string[] = [];
    const exists = async (key: string) => {
      asked.push(key.replace("mrg1:ended:", ""));
      return ended.includes(key.replace("mrg1:ended:", "")) ? 1 : 0;
    };
    return { asked, deps: { redis: { exists } } as unknown as Pick<GrantDeps, "redis"> };
  }
  const of = (clientGrantId?: string) => ({ principal: TOKEN_PRINCIPAL, clientGrantId });

  it("R8: has ended with its grant, after one look at it", async () => {
    const { asked, deps } = grants("grant-1");
    expect(await tokenHasEnded(deps, of())).toBe(true);
    expect(await tokenHasEnded(grants().deps, of())).toBe(false);
    expect(asked).toEqual(["grant-1"]);
  });

  it("R9: has ended with the administrator's client that it was given to, of whatever grant it is", async () => {
    const { asked, deps } = grants("client-1");
    expect([await tokenHasEnded(deps, of("client-1")), await tokenHasEnded(deps, of("client-2"))]).toEqual([
      true,
      false,
    ]);
    expect(asked).toEqual(["grant-1", "client-1", "grant-1", "client-2"]);
  });

  it("R8: has ended when it belongs to no grant", async () => {
    const { asked, deps } = grants();
    expect(await tokenHasEnded(deps, { principal: { ...TOKEN_PRINCIPAL, grantId: null } })).toBe(true);
    expect(asked).toEqual([]);
  });

  it("R8: is not called good when Redis cannot say", async () => {
    const exists = async () => Promise.reject(new Error("Redis does not answer"));
    const deps = { redis: { exists } } as unknown as Pick<GrantDeps, "redis">;
    await expect(tokenHasEnded(deps, of())).rejects.toThrow("Redis does not answer");
  });
});
