import { describe, expect, it } from "vitest";
import { authenticate, type AuthenticateDeps } from "../../../src/access/authenticate.ts";
import { missingScopes, type Principal } from "../../../src/access/principal.ts";
import type { KeyRecord } from "../../../src/keys/records.ts";
import { generateApiKey } from "../../../src/keys/token.ts";
import { newProofKey, proofFor } from "../../support/proofs.ts";

const NOW = 1_800_000_000_000;
const RESOURCE = "https://gateway.example.com/mcp";
const clientKey = await newProofKey();
const RECORD: KeyRecord = {
  id: "key-1",
  name: "laptop",
  userId: "user-1",
  tenantId: "personal-user-1",
  scopes: ["mcp:tools"],
  enabled: true,
  expiresAt: null,
};

/** Dependencies whose Redis holds one record for every key; they keep what was asked of them. */
function fake(record: KeyRecord | null = RECORD) {
  const asked: string[] = [];
  const deps = {
    keys: {
      redis: {
        get: async (key: string) => {
          asked.push(key);
          return JSON.stringify(record);
        },
      },
      db: {},
    },
    verifyAccessToken: async (token: string, resource: string) => {
      asked.push(`${token} for ${resource}`);
      return { reason: "ERR_JWT_EXPIRED" };
    },
  } as unknown as AuthenticateDeps;
  return { asked, deps };
}

const withKey = (deps: AuthenticateDeps, key = generateApiKey(), now = NOW) =>
  authenticate(deps, { kind: "api_key", key }, RESOURCE, now);

const refusal = (presented: string, reason: string) => ({ refusal: { kind: "invalid_credential", presented, reason } });

describe("R8: a caller with an API key", () => {
  it("R8: is the principal of its record", async () => {
    expect(await withKey(fake().deps)).toEqual({
      principal: {
        credential: { kind: "api_key", id: "key-1", name: "laptop" },
        userId: "user-1",
        tenantId: "personal-user-1",
        scopes: new Set(["mcp:tools"]),
        clientId: null,
        grantId: null,
      },
    });
  });

  it.each(["", "mrg_live_", "mrg_live_short", "x".repeat(65_536), "eyJhbGciOiJFUzI1NiJ9.e30.x"])(
    "J05: costs no request when the key has another form: %.20j",
    async (key) => {
      const { asked, deps } = fake();
      expect(await withKey(deps, key)).toEqual(refusal("api_key", "wrong form or checksum"));
      expect(asked).toEqual([]);
    },
  );

  it("J05: costs no request when the checksum is wrong", async () => {
    const { asked, deps } = fake();
    const key = generateApiKey();
    const wrong = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
    expect(await withKey(deps, wrong)).toEqual(refusal("api_key", "wrong form or checksum"));
    expect(asked).toEqual([]);
  });

  it("J07: is refused when there is no such key", async () => {
    expect(await withKey(fake(null).deps)).toEqual(refusal("api_key", "unknown key"));
  });

  it("J07: is refused when the key is disabled", async () => {
    const { deps } = fake({ ...RECORD, enabled: false });
    expect(await withKey(deps)).toEqual(refusal("api_key", "key key-1 is disabled"));
  });

  it("J07: is refused from the moment at which the key expires", async () => {
    const { deps } = fake({ ...RECORD, expiresAt: NOW });
    expect(await withKey(deps, generateApiKey(), NOW - 1)).toHaveProperty("principal");
    expect(await withKey(deps, generateApiKey(), NOW)).toEqual(refusal("api_key", "key key-1 has expired"));
  });

  it("J07: is told by no reason what the key was", async () => {
    const key = generateApiKey();
    const answers = await Promise.all(
      [null, { ...RECORD, enabled: false }, { ...RECORD, expiresAt: 1 }].map((record) =>
        withKey(fake(record).deps, key),
      ),
    );
    expect(JSON.stringify(answers)).not.toContain(key.slice(9, 20));
  });
});

describe("R8: a caller with an access token", () => {
  const principal = { userId: "user-1", grantId: "grant-1" } as Principal;

  /** Dependencies whose verifier lets every token through as that principal; `ended` is what Redis counts for its grant. */
  function verified(who: Principal, ended: number | Error) {
    const { asked, deps } = fake();
    const exists = async (key: string) => {
      asked.push(key);
      return ended instanceof Error ? Promise.reject(ended) : ended;
    };
    const grants = { redis: { exists } } as unknown as AuthenticateDeps["grants"];
    return { asked, deps: { ...deps, grants, verifyAccessToken: async () => ({ principal: who }) } };
  }

  const withToken = (deps: AuthenticateDeps) =>
    authenticate(deps, { kind: "access_token", token: "t" }, `${RESOURCE}/notes`, NOW);

  it("R8: is verified for the resource that was asked for, and a bad token costs no request", async () => {
    const { asked, deps } = fake();
    expect(await withToken(deps)).toEqual(refusal("access_token", "ERR_JWT_EXPIRED"));
    expect(asked).toEqual([`t for ${RESOURCE}/notes`]);
  });

  it("R8: is the principal that its token names, after one look at its grant", async () => {
    const { asked, deps } = verified(principal, 0);
    expect(await withToken(deps)).toEqual({ principal });
    expect(asked).toEqual(["mrg1:ended:grant-1"]);
  });

  it("R8: is refused when the grant has ended", async () => {
    expect(await withToken(verified(principal, 1).deps)).toEqual(refusal("access_token", "the grant has ended"));
  });

  it("R9: is refused when the administrator's client that it was given to has ended, of whatever grant it is", async () => {
    const asked: string[] = [];
    const { deps } = fake();
    const ended = new Set(["mrg1:ended:client-1"]);
    const exists = async (key: string) => {
      asked.push(key);
      return ended.has(key) ? 1 : 0;
    };
    const grants = { redis: { exists } } as unknown as AuthenticateDeps["grants"];
    const of = (clientGrantId: string) =>
      withToken({ ...deps, grants, verifyAccessToken: async () => ({ principal, clientGrantId }) });
    expect(await of("client-1")).toEqual(refusal("access_token", "the grant has ended"));
    expect(await of("client-2")).toEqual({ principal });
    expect(asked).toEqual(["grant-1", "client-1", "grant-1", "client-2"].map((id) => `mrg1:ended:${id}`));
  });

  it("R8: is refused when the token belongs to no grant", async () => {
    const { asked, deps } = verified({ ...principal, grantId: null }, 0);
    expect(await withToken(deps)).toEqual(refusal("access_token", "the grant has ended"));
    expect(asked).toEqual([]);
  });

  it("R8: is not let through when Redis cannot say whether the grant has ended", async () => {
    const { deps } = verified(principal, new Error("Redis does not answer"));
    await expect(withToken(deps)).rejects.toThrow("Redis does not answer");
  });
});

describe("a caller with an access token that is bound to a key", () => {
  const principal = { userId: "user-1", grantId: "grant-1" } as Principal;
  const url = `${RESOURCE}/notes`;

  /** A verifier that says the token is bound; `answers` are what Redis says of grants and proof. */
  function bound(answer: string | Error, clientGrantId?: string) {
    const asked: (readonly string[])[] = [];
    const redis = {
      eval: async (_script: string, keys: string[]) => {
        asked.push(keys);
        return answer instanceof Error ? Promise.reject(answer) : answer;
      },
      exists: async () => 0,
    };
    const { deps } = fake();
    const grants = { redis } as unknown as AuthenticateDeps["grants"];
    const verifyAccessToken = async () => ({ principal, clientGrantId, thumbprint: clientKey.thumbprint });
    return { asked, deps: { ...deps, grants, verifyAccessToken } };
  }

  const present = async (deps: AuthenticateDeps, by = clientKey) => {
    const proof = { jwt: await proofFor(by, { url, token: "t", at: NOW }), method: "POST", url };
    return authenticate(deps, { kind: "access_token", token: "t", proof }, url, NOW);
  };

  it("is let in with a new proof of that key, by one request for grants and proof", async () => {
    const { asked, deps } = bound("spent", "client-1");
    expect(await present(deps)).toEqual({ principal });
    expect(asked).toEqual([["mrg1:ended:grant-1", "mrg1:ended:client-1", expect.stringMatching(/^mrg1:proof:/)]]);
  });

  it("K03: is refused without the scheme that carries a proof, at the cost of no request", async () => {
    const { asked, deps } = bound("spent");
    expect(await authenticate(deps, { kind: "access_token", token: "t" }, url, NOW)).toEqual({
      refusal: { kind: "wrong_token_scheme", presented: "Bearer" },
    });
    expect(asked).toEqual([]);
  });

  it("K03: is refused with a proof of another key, at the cost of no request", async () => {
    const { asked, deps } = bound("spent");
    expect(await present(deps, await newProofKey())).toMatchObject({ refusal: { kind: "invalid_dpop_proof" } });
    expect(asked).toEqual([]);
  });

  it("K03: is refused when the proof was used, or the grant has ended", async () => {
    expect(await present(bound("replayed").deps)).toMatchObject({ refusal: { kind: "invalid_dpop_proof" } });
    expect(await present(bound("something else").deps)).toMatchObject({ refusal: { kind: "invalid_dpop_proof" } });
    expect(await present(bound("ended").deps)).toMatchObject({
      refusal: { kind: "invalid_credential", reason: "the grant has ended", scheme: "DPoP" },
    });
  });

  it("is not let through when Redis cannot say", async () => {
    await expect(present(bound(new Error("Redis does not answer")).deps)).rejects.toThrow("Redis does not answer");
  });

  it("K03: is refused when the token is bound to nothing and comes with a proof all the same", async () => {
    const { deps } = bound("spent");
    const unbound = { ...deps, verifyAccessToken: async () => ({ principal }) };
    expect(await present(unbound)).toEqual({ refusal: { kind: "wrong_token_scheme", presented: "DPoP" } });
  });
});

describe("the scopes that a principal lacks", () => {
  const principal: Principal = {
    credential: { kind: "api_key", id: "key-1", name: null },
    userId: "user-1",
    tenantId: "personal-user-1",
    scopes: new Set(["mcp:tools", "admin"]),
    clientId: null,
    grantId: null,
  };

  it("are those of the required ones that it does not hold, in their order", () => {
    expect(missingScopes(principal, [])).toEqual([]);
    expect(missingScopes(principal, ["mcp:tools"])).toEqual([]);
    expect(missingScopes(principal, ["keys:write", "mcp:tools", "audit:read"])).toEqual(["keys:write", "audit:read"]);
  });

  it("are not made up for by being an administrator", () => {
    expect(missingScopes(principal, ["audit:read"])).toEqual(["audit:read"]);
  });
});
