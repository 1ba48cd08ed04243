import { describe, expect, it } from "vitest";
import { DEVICE_GRANT, GRANT_HEADER, grantOf } from "../../../src/grants/grant-id.ts";
import { sha256 } from "../../../src/platform/crypto.ts";

const headers = new Headers({ [GRANT_HEADER]: "grant-1" });

describe("the grant that an access token is made for", () => {
  it("begins with the hash of its authorization code, whatever a header says", async () => {
    const body = { grant_type: "authorization_code", code: "secret code" };
    expect(await grantOf({ body, headers })).toBe(await sha256("secret code"));
  });

  it("begins with the hash of its device code, whatever a header says", async () => {
    const body = { grant_type: DEVICE_GRANT, device_code: "secret code", code: "not this" };
    expect(await grantOf({ body, headers })).toBe(await sha256("secret code"));
  });

  it("goes on at a refresh as our token front says", async () => {
    const body = { grant_type: "refresh_token", code: "not this" };
    expect(await grantOf({ body, headers })).toBe("grant-1");
    expect(await grantOf({ body, headers: new Headers() })).toBeUndefined();
    expect(await grantOf({ body })).toBeUndefined();
  });

  it.each([
    undefined,
    null,
    {},
    { grant_type: "client_credentials" },
    { grant_type: "authorization_code" },
    { grant_type: "authorization_code", code: ["x"] },
    { grant_type: ["refresh_token"] },
    { grant_type: DEVICE_GRANT },
    { grant_type: DEVICE_GRANT, device_code: ["x"] },
  ])("is none otherwise: %j", async (body) => {
    expect(await grantOf({ body, headers })).toBeUndefined();
  });
});
