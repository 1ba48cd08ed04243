import fc from "fast-check";
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from "jose";
import { describe, expect, it } from "vitest";
import { accessTokenVerifier } from "../../../../src/access/credential/access-token.ts";

const ISSUER = "https://gateway.example.com";
const RESOURCE = `${ISSUER}/mcp`;

async function postKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  return { kid, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" } };
}

const ours = await postKey("k1");
const next = await postKey("k2");
/** Not ours, under the id of ours. */
const foreign = await postKey("k1");

const seconds = () => Math.floor(Date.now() / 1000);

const claims = (change: JWTPayload = {}): JWTPayload => ({
  iss: ISSUER,
  aud: RESOURCE,
  sub: "user-1",
  client_id: "client-1",
  tenant: "personal-user-1",
  grant: "grant-1",
  scope: "openid mcp:tools audit:read",
  jti: "token-1",
  iat: seconds(),
  exp: seconds() + 900,
  ...change,
});

const without = (name: string) => Object.fromEntries(Object.entries(claims()).filter(([claim]) => claim !== name));

function sign(payload: JWTPayload, header: Record<string, unknown> = {}, key = ours): Promise<string> {
  const defined = Object.entries({ alg: "ES256", typ: "at+jwt", kid: key.kid, ...header }).filter(
    ([, v]) => v !== null,
  );
  return new SignJWT(payload).setProtectedHeader(Object.fromEntries(defined) as { alg: string }).sign(key.privateKey);
}

/** A verifier over keys that can be changed, and how often and how those were asked for. */
function verifier(...jwks: object[]) {
  const state = { jwks: jwks.length > 0 ? jwks : [ours.jwk], asked: [] as boolean[] };
  const verify = accessTokenVerifier(ISSUER, {
    publicKeys: async (unknownKid = false) => {
      state.asked.push(unknownKid);
      return state.jwks;
    },
  });
  return { state, verify: (token: string, resource = RESOURCE) => verify(token, resource) };
}

/** Why a token is refused; fails when it is not. */
async function reasonOf(token: string, resource = RESOURCE): Promise<string> {
  const verified = await verifier().verify(token, resource);
  if ("principal" in verified) throw new Error("the token was accepted");
  return verified.reason;
}

describe("R8: an access token of this gateway", () => {
  it("R8: becomes a principal with what it says", async () => {
    expect(await verifier().verify(await sign(claims()))).toEqual({
      principal: {
        credential: { kind: "access_token", id: "token-1", name: null },
        userId: "user-1",
        tenantId: "personal-user-1",
        scopes: new Set(["openid", "mcp:tools", "audit:read"]),
        clientId: "client-1",
        grantId: "grant-1",
        servers: null,
        tools: null,
        restricted: false,
      },
    });
  });

  it("names the key that it is bound to, if it is", async () => {
    const verified = await verifier().verify(await sign(claims({ cnf: { jkt: "thumbprint" } })));
    expect(verified).toMatchObject({ thumbprint: "thumbprint" });
    expect(await verifier().verify(await sign(claims()))).not.toHaveProperty("thumbprint", expect.anything());
  });

  it.each([{}, null, "jkt", [], { jkt: 7 }, { "x5t#S256": "x" }, { jkt: "x", "x5t#S256": "x" }])(
    "is refused when it is bound in a way that nobody here can check: %j",
    async (cnf) => {
      expect(await reasonOf(await sign(claims({ cnf })))).toBe("bound in an unknown way");
    },
  );

  it("is of the client itself when its subject is the client, and of no person of that id", async () => {
    const verified = await verifier().verify(await sign(claims({ sub: "client-1" })));
    expect(verified).toMatchObject({ principal: { userId: "client:client-1", clientId: "client-1" } });
  });

  it("says which registration of a client it ends with, if any", async () => {
    const verified = await verifier().verify(await sign(claims({ client_grant: "client-9" })));
    expect(verified).toMatchObject({ clientGrantId: "client-9", principal: { grantId: "grant-1", userId: "user-1" } });
    expect(await reasonOf(await sign(claims({ client_grant: 7 })))).toBe("claims are incomplete");
  });

  it.each([
    ["unknown scopes", "mcp:tools files:read MCP:TOOLS", ["mcp:tools"]],
    ["inherited names", "constructor toString __proto__", []],
    ["no scopes", "", []],
    ["scopes that are no text", ["admin"], []],
    ["scopes with commas", "mcp:tools,admin", []],
  ])("R8: holds no scope that is not ours: %s", async (_what, scope, held) => {
    const verified = await verifier().verify(await sign(claims({ scope })));
    expect(verified).toMatchObject({ principal: { scopes: new Set(held) } });
  });

  it("R8: is good for each resource that it names, and for no other", async () => {
    const token = await sign(claims({ aud: [RESOURCE, `${ISSUER}/api/auth/oauth2/userinfo`] }));
    expect(await verifier().verify(token)).toHaveProperty("principal");
    expect(await reasonOf(token, `${RESOURCE}/notes`)).toBe("ERR_JWT_CLAIM_VALIDATION_FAILED");
  });

  it("R8: costs one look at the keys", async () => {
    const { state, verify } = verifier();
    await verify(await sign(claims()));
    expect(state.asked).toEqual([false]);
  });

  it("R8: may have been signed by any of our keys", async () => {
    const { verify } = verifier(ours.jwk, next.jwk);
    expect(await verify(await sign(claims(), {}, next))).toHaveProperty("principal");
    expect(await verify(await sign(claims(), {}, ours))).toHaveProperty("principal");
  });
});

describe("C18: a token that was not made for this", () => {
  it.each<[string, JWTPayload]>([
    ["the audience is another server", { aud: "https://other.example.com/mcp" }],
    ["the audience is another server of this gateway", { aud: `${RESOURCE}/notes` }],
    ["the audience is the bare origin", { aud: ISSUER }],
    ["the audience has a slash more", { aud: `${RESOURCE}/` }],
    ["the audience has another case", { aud: RESOURCE.toUpperCase() }],
    ["the audience is the client", { aud: "client-1" }],
    ["the audience begins as ours does", { aud: `${RESOURCE}.evil.example` }],
    ["no audience of several is ours", { aud: ["https://other.example.com/mcp", ISSUER] }],
    ["the audience is empty", { aud: [] }],
    ["the issuer is another", { iss: "https://issuer.example.com" }],
    ["the issuer has a slash more", { iss: `${ISSUER}/` }],
    ["it is not valid yet", { nbf: seconds() + 120 }],
    ["its time is text", { exp: "tomorrow" as unknown as number }],
  ])("C18: is refused when %s", async (_what, change) => {
    expect(await reasonOf(await sign(claims(change)))).toMatch(/^ERR_JWT_(CLAIM_VALIDATION_FAILED|INVALID)$/);
  });

  it.each(["iss", "aud", "exp", "sub", "iat", "jti", "client_id"])("C18: is refused without %s", async (name) => {
    expect(await reasonOf(await sign(without(name)))).toBe("ERR_JWT_CLAIM_VALIDATION_FAILED");
  });

  it.each([
    ["tenant", undefined],
    ["tenant", null],
    ["tenant", ["personal-user-1"]],
    ["sub", 7],
    ["jti", {}],
    ["client_id", 7],
    ["grant", undefined],
    ["grant", null],
    ["grant", 7],
  ])("C18: is refused when %s is %j", async (name, value) => {
    expect(await reasonOf(await sign(claims({ [name]: value })))).toBe("claims are incomplete");
  });

  it.each(["JWT", null, "logout+jwt", "dpop+jwt", "id+jwt", "at", "application/jwt", 7])(
    "C18: is refused when its typ is %j",
    async (typ) => {
      expect(await reasonOf(await sign(claims(), { typ }))).toMatch(/^ERR_(JWT_CLAIM_VALIDATION_FAILED|JWS_INVALID)$/);
    },
  );
});

describe("K03: a token that is over", () => {
  it("K03: is refused from 30 seconds after its end, and good until then", async () => {
    const token = (secondsAgo: number) => sign(claims({ iat: seconds() - 900, exp: seconds() - secondsAgo }));
    expect(await reasonOf(await token(31))).toBe("ERR_JWT_EXPIRED");
    expect(await reasonOf(await token(86_400))).toBe("ERR_JWT_EXPIRED");
    expect(await verifier().verify(await token(20))).toHaveProperty("principal");
  });

  it("K03: is refused until 30 seconds before its begin, and good from then", async () => {
    expect(await verifier().verify(await sign(claims({ nbf: seconds() + 20 })))).toHaveProperty("principal");
    expect(await reasonOf(await sign(claims({ nbf: seconds() + 40 })))).toBe("ERR_JWT_CLAIM_VALIDATION_FAILED");
  });
});

describe("K03: a token that is not ours", () => {
  it("K03: is refused without a signature", async () => {
    const unsecured = new UnsecuredJWT(claims()).encode();
    expect(await reasonOf(unsecured)).not.toBe("claims are incomplete");
    const [, payload] = (await sign(claims())).split(".");
    const headers = ["none", "None", "NONE", ""].map((alg) =>
      base64url.encode(JSON.stringify({ alg, typ: "at+jwt", kid: "k1" })),
    );
    for (const header of headers) {
      expect(await reasonOf(`${header}.${payload}.`)).toMatch(/^ERR_/);
    }
  });

  it("K03: is refused when signed with our public key as a shared secret", async () => {
    const secrets = [await exportSPKI(ours.publicKey), JSON.stringify(ours.jwk), ours.jwk.x ?? ""];
    for (const secret of secrets) {
      const token = await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt", kid: "k1" })
        .sign(new TextEncoder().encode(secret));
      expect(await reasonOf(token)).toBe("ERR_JOSE_ALG_NOT_ALLOWED");
    }
  });

  it("K03: is refused when another key signed it under the id of ours", async () => {
    expect(await reasonOf(await sign(claims(), {}, foreign))).toBe("ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
  });

  it("K03: is refused when it brings its own key", async () => {
    const jwk = await exportJWK(foreign.publicKey);
    const token = await sign(claims(), { jwk, jku: "https://evil.example/jwks" }, foreign);
    expect(await reasonOf(token)).toBe("ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
  });

  it("K03: is refused when an algorithm of another kind signed it", async () => {
    const rsa = await generateKeyPair("PS256", { extractable: true });
    const jwk = { ...(await exportJWK(rsa.publicKey)), kid: "k1", alg: "PS256" };
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: "PS256", typ: "at+jwt", kid: "k1" })
      .sign(rsa.privateKey);
    expect(await verifier(jwk).verify(token)).toEqual({ reason: "ERR_JOSE_ALG_NOT_ALLOWED" });
  });

  it("K03: is refused when anything in it was changed", async () => {
    const [header = "", , signature = ""] = (await sign(claims())).split(".");
    const changes: JWTPayload[] = [{ scope: "admin" }, { sub: "user-2" }, { tenant: "personal-user-2" }, { exp: 9e9 }];
    for (const change of changes) {
      const payload = base64url.encode(JSON.stringify(claims(change)));
      expect(await reasonOf(`${header}.${payload}.${signature}`)).toBe("ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
    }
  });

  it("K03: is refused when one character of it was changed", async () => {
    const token = await sign(claims());
    const length = token.length;
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), fc.constantFrom(..."ABCxyz019-_.".split("")), async (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        // The last character of a base64url text may hold bits that say nothing.
        fc.pre(changed !== token && at !== length - 1);
        expect(await verifier().verify(changed)).toHaveProperty("reason");
      }),
      { seed: 18, numRuns: 150 },
    );
  });

  it("K03: is refused, and no exception, whatever text it is", async () => {
    const part = fc.string({ unit: fc.constantFrom(..."abAB01-_=~+/".split("")), maxLength: 12 });
    const json = fc.json().map((text) => base64url.encode(text));
    const text = fc.array(fc.oneof(part, json), { minLength: 1, maxLength: 6 }).map((parts) => parts.join("."));
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect(await verifier().verify(token)).toHaveProperty("reason");
      }),
      { seed: 18, numRuns: 300 },
    );
  });
});

describe("the keys behind the verifier", () => {
  it("are read again once for a key id that is not among them", async () => {
    const { state, verify } = verifier();
    expect(await verify(await sign(claims(), {}, next))).toEqual({ reason: "ERR_JWKS_NO_MATCHING_KEY" });
    expect(state.asked).toEqual([false, true]);
  });

  it("are read again for a key that was added meanwhile, whose tokens are then good", async () => {
    const state = { asked: 0 };
    const verify = accessTokenVerifier(ISSUER, {
      publicKeys: async (unknownKid) => {
        state.asked += 1;
        return unknownKid ? [ours.jwk, next.jwk] : [ours.jwk];
      },
    });
    expect(await verify(await sign(claims(), {}, next), RESOURCE)).toHaveProperty("principal");
    expect(state.asked).toBe(2);
  });

  it("are not read again for a bad token with a known key id", async () => {
    const { state, verify } = verifier();
    await verify(await sign(claims(), {}, foreign));
    await verify(await sign(claims({ exp: 1 })));
    await verify("nonsense");
    expect(state.asked).toEqual([false, false, false]);
  });

  it("no longer verify anything once they are gone", async () => {
    const { state, verify } = verifier(ours.jwk, next.jwk);
    const token = await sign(claims(), {}, next);
    expect(await verify(token)).toHaveProperty("principal");
    state.jwks = [ours.jwk];
    expect(await verify(token)).toHaveProperty("reason");
    state.jwks = [];
    expect(await verify(token)).toHaveProperty("reason");
  });

  it("fail loudly when they cannot be read: that is not the token's fault", async () => {
    const verify = accessTokenVerifier(ISSUER, {
      publicKeys: async () => Promise.reject(new Error("Postgres does not answer")),
    });
    await expect(verify(await sign(claims()), RESOURCE)).rejects.toThrow("Postgres does not answer");
  });
});
