import { describe, expect, it } from "vitest";
import { readCredential } from "../../../../src/access/credential/credential.ts";

const KEY = `mrg_live_${"a".repeat(49)}`;
const JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln";

const PROOF = { jwt: "a.b.c", method: "POST", url: "https://gateway.example.com/mcp" };

const read = (headers: { authorization?: string; apiKey?: string } = {}, query = "") =>
  readCredential(
    { authorization: headers.authorization, apiKey: headers.apiKey, proof: PROOF },
    new URLSearchParams(query),
  );

/** What the Fetch API makes of several headers of one name. */
const joined = (...values: string[]) => {
  const headers = new Headers();
  for (const value of values) headers.append("x", value);
  return headers.get("x") ?? "";
};

const NOT_BEARER = { kind: "invalid_credential", reason: "not a bearer token", presented: "access_token" };

describe("R8: a credential", () => {
  it.each<[string, Parameters<typeof read>[0], unknown]>([
    ["a bearer token", { authorization: `Bearer ${JWT}` }, { kind: "access_token", token: JWT }],
    ["a bearer token in another case", { authorization: `bEARER ${JWT}` }, { kind: "access_token", token: JWT }],
    ["a bearer token after spaces", { authorization: `Bearer   ${JWT}` }, { kind: "access_token", token: JWT }],
    ["an opaque token", { authorization: "Bearer a-._~+/9==" }, { kind: "access_token", token: "a-._~+/9==" }],
    ["a key as bearer", { authorization: `Bearer ${KEY}` }, { kind: "api_key", key: KEY }],
    ["a key in its own header", { apiKey: KEY }, { kind: "api_key", key: KEY }],
    ["a mistyped key as bearer", { authorization: "Bearer mrg_x" }, { kind: "api_key", key: "mrg_x" }],
    ["anything in the header of keys", { apiKey: JWT }, { kind: "api_key", key: JWT }],
  ])("R8: may be %s", (_what, headers, credential) => {
    expect(read(headers)).toEqual(credential);
  });

  it.each([`DPoP ${JWT}`, `dpop   ${JWT}`])(
    "R8: comes with its proof when its scheme is DPoP: %.10j",
    (authorization) => {
      expect(read({ authorization })).toEqual({ kind: "access_token", token: JWT, proof: PROOF });
    },
  );

  it("J04: is no key when its scheme is DPoP: keys are bound to nothing", () => {
    expect(read({ authorization: `DPoP ${KEY}` })).toEqual({ kind: "access_token", token: KEY, proof: PROOF });
  });

  it("R8: is missing when there is no header", () => {
    expect(read()).toEqual({ refusal: { kind: "no_credential" } });
  });

  it.each([
    `Bearer${JWT}`,
    `Bearer\t${JWT}`,
    ` Bearer ${JWT}`,
    `Bearer ${JWT} `,
    `Bearer ${JWT} ${JWT}`,
    "Bearer =abc",
    "Bearer a=b",
    "Bearer a\u0000b",
    "Bearer tök",
    `DPoP ${JWT} ${JWT}`,
    `DPoPs ${JWT}`,
    `Token ${JWT}`,
    `XBearer ${JWT}`,
  ])("R8: is not valid in another form: %j", (authorization) => {
    expect(read({ authorization })).toEqual({ refusal: NOT_BEARER });
  });

  it.each(["", " ", "Bearer", "Bearer ", "bearer  ", "DPoP", "Basic "])(
    "R8: is absent when the header has no value: %j",
    (empty) => {
      expect(read({ authorization: empty })).toEqual({ refusal: { kind: "no_credential" } });
      expect(read({ authorization: empty, apiKey: KEY })).toEqual({ kind: "api_key", key: KEY });
      expect(read({ authorization: empty, apiKey: "" })).toEqual({ refusal: { kind: "no_credential" } });
    },
  );

  it("R8: is the token when the header of keys has no value", () => {
    for (const apiKey of ["", "  "])
      expect(read({ authorization: `Bearer ${JWT}`, apiKey })).toEqual({ kind: "access_token", token: JWT });
  });

  it.each<[Parameters<typeof read>[0], RegExp]>([
    [{ authorization: KEY }, /Authorization: Bearer <key>/],
    [{ authorization: JWT }, /Authorization: Bearer <token>/],
    [{ authorization: `Bearer "${KEY}"` }, /without quotation marks/],
    [{ authorization: `'Bearer ${KEY}'` }, /without quotation marks/],
    [{ authorization: "Basic dXNlcjpwdw==" }, /Authorization: Bearer <value>/],
    [{ apiKey: `Bearer ${KEY}` }, /without a scheme/],
    [{ apiKey: `"${KEY}"` }, /without quotation marks/],
  ])(
    "R8: sent in a form that people mistake for the right one names the mistake, and not the credential: %j",
    (headers, problem) => {
      const answer = read(headers);
      expect(answer).toEqual({ refusal: { kind: "malformed_credential", problem: expect.stringMatching(problem) } });
      expect(JSON.stringify(answer)).not.toMatch(/aaaa|eyJhbG|dXNlcj/);
    },
  );

  it("R8: is read up to 8192 characters and no further", () => {
    const token = "a".repeat(8_192 - "Bearer ".length);
    expect(read({ authorization: `Bearer ${token}` })).toEqual({ kind: "access_token", token });
    expect(read({ authorization: `Bearer ${token}a` })).toEqual({ refusal: NOT_BEARER });
  });

  it("R8: is not told apart in the refusal, which does not repeat it", () => {
    expect(JSON.stringify(read({ authorization: "Bearer secret value" }))).not.toContain("secret");
  });
});

describe("J04: several credentials", () => {
  it.each([
    ["a token and a key", { authorization: `Bearer ${JWT}`, apiKey: KEY }],
    ["the same key twice", { authorization: `Bearer ${KEY}`, apiKey: KEY }],
    ["a key beside another scheme", { authorization: "Basic dXNlcjpwdw==", apiKey: KEY }],
    ["two keys", { apiKey: joined(KEY, KEY) }],
    ["two tokens", { authorization: joined(`Bearer ${JWT}`, `Bearer ${JWT}`) }],
    ["a bound token and another", { authorization: joined(`DPoP ${JWT}`, `Bearer ${JWT}`) }],
    ["a bound token and a key", { authorization: `DPoP ${JWT}`, apiKey: KEY }],
    ["a token and a basic password", { authorization: joined("Basic dXNlcjpwdw==", `Bearer ${JWT}`) }],
  ])("J04: are refused: %s", (_what, headers) => {
    expect(read(headers)).toEqual({ refusal: { kind: "several_credentials" } });
  });
});

describe("K04: a credential in the URL", () => {
  it.each(["access_token", "api_key", "apikey", "x-api-key", "key", "token"])(
    "K04: is refused as ?%s=, alone, empty, and beside a good one",
    (name) => {
      const refused = { refusal: { kind: "credential_in_url" } };
      expect(read({}, `${name}=${JWT}`)).toEqual(refused);
      expect(read({}, `${name}=`)).toEqual(refused);
      expect(read({}, `x=1&${name}`)).toEqual(refused);
      expect(read({ apiKey: KEY }, `${name}=${KEY}`)).toEqual(refused);
      expect(read({ authorization: `Bearer ${JWT}`, apiKey: KEY }, `${name}=x`)).toEqual(refused);
    },
  );

  it("K04: is refused however its name is encoded", () => {
    expect(read({ apiKey: KEY }, "access%5Ftoken=x")).toEqual({ refusal: { kind: "credential_in_url" } });
  });

  it("K04: is not what another parameter is", () => {
    expect(read({ apiKey: KEY }, "cursor=1&keys=2&tokens=3")).toEqual({ kind: "api_key", key: KEY });
  });
});
