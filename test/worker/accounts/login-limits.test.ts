import { describe, expect, it } from "vitest";
import { origin, request } from "../../support/gateway.ts";
import { newPerson, PASSWORD } from "../../support/oauth.ts";

const SIGN_IN = "/api/auth/sign-in/email";

const signIn = (address: string, email: string, headers: Record<string, string> = {}, path = SIGN_IN) =>
  request(path, {
    method: "POST",
    headers: { "cf-connecting-ip": address, "content-type": "application/json", origin, ...headers },
    body: JSON.stringify({ email, password: PASSWORD }),
  });

describe("attempts to sign in", () => {
  it("I04: from one address are stopped with 429 and a time to wait, whatever account they name", async () => {
    const statuses: number[] = [];
    let last: Response | undefined;
    for (let i = 0; i < 21; i++) {
      last = await signIn("198.51.100.7", `nobody-${i}@example.com`, { "content-length": "70" });
      statuses.push(last.status);
    }
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(last?.status).toBe(429);
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(0);
    const person = await newPerson();
    expect((await signIn("198.51.100.7", person.email)).status).toBe(429);
    expect((await signIn("198.51.100.8", person.email)).status).toBe(200);
  });

  it("I05: at a path written differently meet the same limit, or nothing", async () => {
    const address = "198.51.100.9";
    for (let i = 0; i < 21; i++) await signIn(address, "nobody@example.com");
    const variants = [
      "/api/auth/sign-in//email",
      "/api/auth/sign-in/email/",
      "/api/auth/Sign-In/email",
      "/api/auth/sign-in%2femail",
      "/api/auth/sign-in/email;x",
      "/api/auth//sign-in/email",
    ];
    for (const path of variants) {
      expect({ path, status: (await signIn(address, "nobody@example.com", {}, path)).status }).toMatchObject({
        status: expect.toSatisfy((status: number) => status === 404 || status === 429),
      });
    }
    const forwarded = await signIn(address, "nobody@example.com", { "x-forwarded-for": "203.0.113.5" });
    expect(forwarded.status).toBe(429);
  });

  it.each(["https://evil-localhost.com", "http://localhost:8787.evil.example.com", "myapp://callback.evil", "null"])(
    "F05: I09: from the web origin %s are refused",
    async (foreign) => {
      const person = await newPerson();
      const address = `198.51.100.${20 + foreign.length}`;
      const answer = await signIn(address, person.email, {
        origin: foreign,
        cookie: "a=b",
        "sec-fetch-site": "cross-site",
      });
      expect(answer.status).toBe(403);
      expect(answer.headers.getSetCookie().join()).not.toContain("session_token");
    },
  );
});
