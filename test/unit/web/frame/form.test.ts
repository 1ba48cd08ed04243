import { describe, expect, it } from "vitest";
import {
  acceptForm,
  formCookieName,
  isFormCookie,
  isFormToken,
  isOwnForm,
  issueFormToken,
} from "../../../../src/web/frame/form.ts";

const ORIGIN = "https://gateway.example.com";
const COOKIE = "AAAAAAAAAAAAAAAAAAAAAA";
const OTHER_COOKIE = "BBBBBBBBBBBBBBBBBBBBBB";
const NOW = 1_800_000_000_000;
const SECRETS = ["new secret", "old secret"];

const issue = (purpose = "sign-in", secrets = SECRETS) => issueFormToken(secrets, COOKIE, purpose, NOW);
const check = async (token: string, change: { cookie?: string; purpose?: string; now?: number } = {}) =>
  isFormToken(SECRETS, change.cookie ?? COOKIE, change.purpose ?? "sign-in", token, change.now ?? NOW);

const accept = async (
  change: { body?: BodyInit; headers?: Record<string, string>; cookie?: string | undefined } = {},
) => {
  const token = await issueFormToken(SECRETS, COOKIE, "sign-in", NOW);
  const request = new Request(`${ORIGIN}/sign-in`, {
    method: "POST",
    body: change.body ?? new URLSearchParams({ form: token, email: "a+b@example.com", name: "Ünï" }).toString(),
    headers: {
      origin: ORIGIN,
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      ...change.headers,
    },
  });
  const cookie = "cookie" in change ? change.cookie : COOKIE;
  return acceptForm(request, { origin: ORIGIN, secrets: SECRETS, cookie, purpose: "sign-in", now: NOW });
};

describe("the form token", () => {
  it("is good with its cookie and for its form, however many were issued", async () => {
    const later = await issueFormToken(SECRETS, COOKIE, "sign-in", NOW + 60_000);
    expect(await check(await issue())).toBe(true);
    expect(await check(later)).toBe(true);
  });

  it("is good under any configured secret and no other", async () => {
    expect(await check(await issue("sign-in", ["old secret"]))).toBe(true);
    expect(await check(await issue("sign-in", ["foreign secret"]))).toBe(false);
  });

  it("is no good with another cookie or for another form", async () => {
    expect(await check(await issue(), { cookie: OTHER_COOKIE })).toBe(false);
    expect(await check(await issue(), { purpose: "consent" })).toBe(false);
  });

  it.each([
    ["sign-in", 3600],
    ["consent", 600],
  ])("for %s lasts %i seconds", async (purpose, seconds) => {
    const token = await issue(purpose);
    expect(await check(token, { purpose, now: NOW + seconds * 1000 - 1 })).toBe(true);
    expect(await check(token, { purpose, now: NOW + seconds * 1000 })).toBe(false);
  });

  it("cannot be given a later expiry", async () => {
    const [payload = "", mac = ""] = (await issue()).split(".");
    const [later] = (await issueFormToken(SECRETS, COOKIE, "sign-in", NOW + 1)).split(".");
    expect(later).not.toBe(payload);
    expect(await check(`${later}.${mac}`)).toBe(false);
  });

  it("does not tell the cookie to whoever reads the page", async () => {
    const [payload = ""] = (await issue()).split(".");
    expect(Buffer.from(payload, "base64url").toString()).toBe(`[${NOW + 3_600_000},null]`);
  });

  it.each(["", ".", "AAAA", "AAAA.", ".AAAA", "AAAA.AAAA", `WzllOTksbnVsbF0.${"A".repeat(43)}`, "9e99.x"])(
    "is not %j",
    async (token) => {
      expect(await check(token)).toBe(false);
    },
  );
});

describe("the form cookie", () => {
  it("is bound to the host when the connection is secure", () => {
    expect(formCookieName(true)).toBe("__Host-mrg.form");
    expect(formCookieName(false)).toBe("mrg.form");
  });

  it.each([undefined, "", "short", `${COOKIE}A`, `${COOKIE.slice(1)}\n`, `${COOKIE.slice(1)}.`])(
    "is replaced when it is %j",
    (value) => {
      expect(isFormCookie(value)).toBe(false);
    },
  );
});

describe("where a form comes from", () => {
  const own = (headers: Record<string, string>) => isOwnForm(new Headers(headers), ORIGIN);

  it.each([
    [{ origin: ORIGIN }],
    [{ origin: ORIGIN, "sec-fetch-site": "same-origin" }],
    [{ origin: "null", "sec-fetch-site": "same-origin" }],
    [{}],
    [{ "sec-fetch-site": "same-origin" }],
    [{ "sec-fetch-site": "none" }],
  ])("is us: %j", (headers) => {
    expect(own(headers as Record<string, string>)).toBe(true);
  });

  it.each([
    [{ origin: "https://evil.example.com" }],
    [{ origin: "https://evil.example.com", "sec-fetch-site": "same-origin" }],
    [{ origin: "https://gateway.example.com.evil.example" }],
    [{ origin: "http://gateway.example.com" }],
    [{ origin: `${ORIGIN}:8443` }],
    [{ origin: `${ORIGIN}, https://evil.example.com` }],
    [{ origin: ORIGIN.toUpperCase() }],
    [{ origin: "null" }],
    [{ origin: "null", "sec-fetch-site": "cross-site" }],
    [{ origin: "null", "sec-fetch-site": "same-site" }],
    [{ origin: "null", "sec-fetch-site": "none" }],
    [{ origin: "" }],
    [{ origin: ORIGIN, "sec-fetch-site": "cross-site" }],
    [{ "sec-fetch-site": "cross-site" }],
    [{ "sec-fetch-site": "same-site" }],
    [{ "sec-fetch-site": "anything" }],
  ])("is somebody else: %j", (headers) => {
    expect(own(headers as Record<string, string>)).toBe(false);
  });
});

describe("a posted form", () => {
  it("is accepted with token and cookie, its fields decoded", async () => {
    const form = await accept();
    expect("fields" in form && Object.fromEntries(form.fields)).toMatchObject({
      email: "a+b@example.com",
      name: "Ünï",
    });
  });

  it("is refused from another site before its body is read", async () => {
    expect(await accept({ headers: { origin: "https://evil.example.com" }, body: "x".repeat(70_000) })).toEqual({
      refusal: "foreign",
    });
  });

  it.each([
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencodedx",
    "",
  ])("is refused as %j", async (type) => {
    expect(await accept({ headers: { "content-type": type } })).toEqual({ refusal: "media_type" });
  });

  it("is refused above 64 KB, whether its length is declared or not", async () => {
    const body = "a=".padEnd(65_537, "x");
    expect(await accept({ body })).toEqual({ refusal: "too_large" });
    expect(await accept({ body, headers: { "content-length": "10" } })).toEqual({ refusal: "too_large" });
    expect(await accept({ body: body.slice(1) })).toEqual({ refusal: "expired" });
  });

  it("is refused without the cookie, with a malformed one and without the field", async () => {
    expect(await accept({ cookie: undefined })).toEqual({ refusal: "expired" });
    expect(await accept({ cookie: "x" })).toEqual({ refusal: "expired" });
    expect(await accept({ body: "email=a" })).toEqual({ refusal: "expired" });
  });
});
