import { describe, expect, it } from "vitest";
import { rotatedCookies, signature } from "../../../src/auth/cookie-rotation.ts";

const signedBy = async (secret: string, value: string) =>
  encodeURIComponent(`${value}.${await signature(secret, value)}`);

describe("the cookies of a browser after a secret was replaced", () => {
  it("S02: are signed by the newest secret when an older one had signed them", async () => {
    const header = `mrg.session_token=${await signedBy("old", "token")}; theme=dark`;
    expect(await rotatedCookies(header, ["new", "older", "old"])).toBe(
      `mrg.session_token=${await signedBy("new", "token")}; theme=dark`,
    );
    const secure = `__Secure-mrg.session_token=${await signedBy("old", "a.b")}`;
    expect(await rotatedCookies(secure, ["new", "old"])).toBe(
      `__Secure-mrg.session_token=${await signedBy("new", "a.b")}`,
    );
  });

  it.each([
    ["of the newest", async () => `mrg.session_token=${await signedBy("new", "token")}`],
    ["of a secret that was dropped", async () => `mrg.session_token=${await signedBy("dropped", "token")}`],
    ["that was changed", async () => `mrg.session_token=x${await signedBy("old", "token")}`],
    ["of somebody else's", async () => `other.session_token=${await signedBy("old", "token")}`],
    ["without a signature", async () => "mrg.session_token=token; mrg.x=%E0%A4%A; =; a"],
  ])("S02: stay as they are with a signature %s", async (_what, header) => {
    const text = await header();
    expect(await rotatedCookies(text, ["new", "old"])).toBe(text);
  });

  it("cost nothing while there is one secret", async () => {
    const header = `mrg.session_token=${await signedBy("old", "token")}`;
    expect(await rotatedCookies(header, ["new"])).toBe(header);
  });
});
