import { describe, expect, it } from "vitest";
import type { z } from "zod";
import {
  estimatedBits,
  flag,
  httpUrl,
  integer,
  isLoopback,
  list,
  localPath,
  origin,
  postgresUrl,
  registrationPolicy,
  sealingKeys,
  secrets,
  signUpPolicy,
} from "../../../src/platform/settings.ts";
import { SEALING_KEY, SECRETS } from "./environment.ts";

const accepts = (schema: z.ZodType, text: string) => schema.safeParse(text).success;

describe("R3: a list", () => {
  it.each([
    ["a,b", ["a", "b"]],
    [" a ,\tb\n", ["a", "b"]],
    ["a,,b,", ["a", "b"]],
    [" , ", []],
    ["a b", ["a b"]],
  ])("R3: %j is %j", (text, items) => {
    expect(list.parse(text)).toEqual(items);
  });
});

describe("R3: a flag", () => {
  it("R3: is true or false and nothing else", () => {
    expect(flag.parse("true")).toBe(true);
    expect(flag.parse("false")).toBe(false);
    expect(["TRUE", "1", "0", "yes", " true"].filter((text) => accepts(flag, text))).toEqual([]);
  });
});

describe("R3: a whole number", () => {
  it("R3: has at most ten digits, so that none is rounded", () => {
    const any = integer(0, Number.MAX_SAFE_INTEGER);
    expect(any.parse("0007")).toBe(7);
    expect(["12345678901", "", "+1", "٣", "1_000"].filter((text) => accepts(any, text))).toEqual([]);
  });
});

describe("S01: the secrets of Better Auth", () => {
  it.each(Object.entries(SECRETS))("S01: may be 32 random bytes in %s", (_spelling, secret) => {
    expect(secrets.parse(secret)).toEqual([secret]);
  });

  it("S01: may be several, kept in their order, the newest first", () => {
    const { base64url, base64, hex } = SECRETS;
    expect(secrets.parse(`${base64url}, ${hex},${base64}`)).toEqual([base64url, hex, base64]);
  });

  it.each([
    ["none at all", " , "],
    ["a short one", "x7Qm2Lp9"],
    ["one of 31 bytes", SECRETS.base64url.slice(0, 42)],
    ["Better Auth's default", "better-auth-secret-12345678901234567890"],
    ["Better Auth's default, longer", `better-auth-secret-12345678901234567890-${SECRETS.base64url}`],
    ["a placeholder", `change-me-${SECRETS.base64url}`],
    ["a placeholder in another spelling", `CHANGEME${SECRETS.base64url}`],
    ["a placeholder that says so", `placeholder${SECRETS.base64url}`],
    ["an example", `example-${SECRETS.base64url}`],
    ["a password", `MyPassword${SECRETS.base64url}`],
    ["your-secret", `your_secret_${SECRETS.base64url}`],
    ["secret-key", `secret_key${SECRETS.base64url}`],
    ["one character again and again", "a".repeat(64)],
    ["a short pattern", "abc".repeat(20)],
    ["a decimal pattern", "0123456789".repeat(4) + "012"],
    ["a good one beside a weak one", `${SECRETS.hex},short`],
  ])("S01: may not be %s", (_what, text) => {
    expect(accepts(secrets, text)).toBe(false);
  });

  it("S01: are told apart from patterns by the information in them", () => {
    expect(estimatedBits("")).toBe(0);
    expect(estimatedBits("aaaaaaaa")).toBe(0);
    expect(estimatedBits("ab".repeat(32))).toBe(64);
    expect(estimatedBits("0123456789abcdef")).toBe(64);
    expect(estimatedBits(SECRETS.hex)).toBeGreaterThan(230);
  });
});

describe("S01: the sealing keys", () => {
  it("S01: are pairs of an id and 32 bytes, the newest first", () => {
    const other = "Qm9UeVh3Nk1zRzRkTDhrVDJjRjVqSDdwQTBxWjlpRXM=";
    expect(sealingKeys.parse(`k2:${other}, k1:${SEALING_KEY}`)).toEqual([
      { id: "k2", key: other },
      { id: "k1", key: SEALING_KEY },
    ]);
  });

  it.each([
    ["none at all", ","],
    ["a key without an id", SEALING_KEY],
    ["an empty id", `:${SEALING_KEY}`],
    ["an id in upper case", `K1:${SEALING_KEY}`],
    ["an id of 17 characters", `${"k".repeat(17)}:${SEALING_KEY}`],
    ["16 bytes", "k1:wN8sT1cXr5hQ0kVbJ7yZ3g=="],
    ["33 bytes", `k1:${SEALING_KEY.slice(0, -1)}AA==`],
    ["base64url", "k1:wN8sT1cXr5hQ0kVbJ7yZ3mLfE9uG2pDaO6iRtU4x-x_="],
    ["no padding", `k1:${SEALING_KEY.slice(0, -1)}`],
    ["a placeholder", "k1:changeme"],
    ["two keys with one id", `k1:${SEALING_KEY},k1:Qm9UeVh3Nk1zRzRkTDhrVDJjRjVqSDdwQTBxWjlpRXM=`],
    ["a good one beside a bad one", `k1:${SEALING_KEY},k2:short`],
  ])("S01: may not be %s", (_what, text) => {
    expect(accepts(sealingKeys, text)).toBe(false);
  });
});

describe("R3: a database URL", () => {
  it.each([
    "postgresql://app:pw@db.example.com/gateway",
    "postgres://app:pw@db.example.com:6543/gateway?sslmode=require",
  ])("R3: may be %s", (text) => {
    expect(accepts(postgresUrl, text)).toBe(true);
  });

  it.each([
    "db.example.com",
    "https://app:pw@db.example.com/gateway",
    "postgresql://db.example.com/gateway",
    "postgresql://app:pw@db.example.com",
    "postgresql://app:pw@db.example.com/",
    "postgresqlx://app:pw@db.example.com/gateway",
  ])("R3: may not be %s", (text) => {
    expect(accepts(postgresUrl, text)).toBe(false);
  });
});

describe("R3: an origin", () => {
  it.each([
    ["https://gateway.example.com", "https://gateway.example.com"],
    ["https://gateway.example.com/", "https://gateway.example.com"],
    ["https://gateway.example.com:8443", "https://gateway.example.com:8443"],
    ["http://[::1]:8787", "http://[::1]:8787"],
  ])("R3: %s is kept as %s", (text, kept) => {
    expect(origin.parse(text)).toBe(kept);
  });

  it.each([
    "gateway.example.com",
    "//gateway.example.com",
    "*",
    "null",
    "https://",
    "https://gateway.example.com/path",
    "https://gateway.example.com/?x=1",
    "https://gateway.example.com/#x",
    "https://gateway.example.com//",
    "https://user:pw@gateway.example.com",
    "https:gateway.example.com",
    " https://gateway.example.com",
    "ws://gateway.example.com",
    "javascript:alert(1)",
    "file:///",
  ])("R3: may not be %j", (text) => {
    expect(accepts(origin, text)).toBe(false);
  });

  it("R3: is loopback by its exact host name", () => {
    const loopback = ["http://localhost", "http://127.0.0.1:1", "http://[::1]:1"];
    const other = ["http://localhost.example.com", "http://example.com/?localhost", "http://127.0.0.10"];
    expect([...loopback, ...other].filter(isLoopback)).toEqual(loopback);
  });

  it("R3: an http URL may have a path, another scheme may not", () => {
    expect(accepts(httpUrl, "https://redis.example.com/base")).toBe(true);
    const others = ["redis://redis.example.com", "redis.example.com", "javascript:alert(1)"];
    expect(others.filter((text) => accepts(httpUrl, text))).toEqual([]);
  });
});

describe("F04: the login page", () => {
  it.each(["/", "/sign-in", "/auth/login_page"])("F04: may be %s", (path) => {
    expect(localPath.parse(path)).toBe(path);
  });

  it.each([
    "//evil",
    "//evil.example.com",
    "///evil.example.com",
    "/\\evil.example.com",
    "\\\\evil.example.com",
    "/%09/evil.example.com",
    "/\t/evil.example.com",
    "/\n/evil",
    "/sign-in\n",
    "https://evil.example.com",
    "https:evil",
    "@evil.example.com",
    "evil",
    "javascript:alert(1)",
    "/sign-in?next=//evil",
    "/sign-in#x",
    "/../evil",
    "/\u2215evil",
    "/\uff0fevil",
    " /sign-in",
  ])("F04: may not be %j", (path) => {
    expect(accepts(localPath, path)).toBe(false);
  });
});

describe("R3: the sign-up policy", () => {
  it.each([
    ["open", { kind: "open" }],
    ["invite", { kind: "invite" }],
    ["domains:example.com", { kind: "domains", domains: ["example.com"] }],
    ["domains: Example.com , mail.example.org", { kind: "domains", domains: ["example.com", "mail.example.org"] }],
  ])("R3: may be %s", (text, policy) => {
    expect(signUpPolicy.parse(text)).toEqual(policy);
  });

  it.each([
    "closed",
    "Open",
    "domains:",
    "domains: , ",
    "domains:*",
    "domains:*.example.com",
    "domains:com",
    "domains:@example.com",
    "domains:example.com:443",
    "domains:https://example.com",
    "domains:exa mple.com",
    "domains:-a.example.com",
    "domains:example.com,localhost",
    "hosts:example.com",
    " open",
  ])("R3: may not be %j", (text) => {
    expect(accepts(signUpPolicy, text)).toBe(false);
  });
});

describe("R3: the policy for client registration", () => {
  it.each([
    ["open", { kind: "open" }],
    ["off", { kind: "off" }],
    ["hosts:app.example.com,EXAMPLE.org", { kind: "hosts", hosts: ["app.example.com", "example.org"] }],
  ])("R3: may be %s", (text, policy) => {
    expect(registrationPolicy.parse(text)).toEqual(policy);
  });

  it.each(["invite", "OFF", "hosts:", "hosts:*", "hosts:127.0.0.1", "hosts:app.example.com/", "domains:example.com"])(
    "R3: may not be %j",
    (text) => {
      expect(accepts(registrationPolicy, text)).toBe(false);
    },
  );
});
