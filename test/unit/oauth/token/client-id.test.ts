import { describe, expect, it } from "vitest";
import { presentedClientId } from "../../../../src/oauth/token/client-id.ts";

const basic = (text: string) => `Basic ${btoa(text)}`;
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const assertion = (claims: unknown) => `${encoded({ alg: "ES256" })}.${encoded(claims)}.c2ln`;
const idOf = (form: string, authorization?: string) => presentedClientId(new URLSearchParams(form), authorization);

describe("the client that a request says it comes from", () => {
  it.each([
    ["client_id=app", undefined, "app"],
    ["", basic("app:secret"), "app"],
    ["", basic("app"), "app"],
    ["", basic("a%3Ab%20c:secret"), "a:b c"],
    ["", `basic  ${btoa("app:secret")}`, "app"],
    ["client_id=app", basic("app:secret"), "app"],
    ["client_id=other", basic("app:secret"), "app"],
    [`client_id=other&client_assertion=${assertion({ sub: "app" })}`, undefined, "app"],
    ["client_id=app&client_assertion=no.jwt", undefined, "app"],
  ])("by form %j and header %j is %j", (form, authorization, id) => {
    expect(idOf(form, authorization)).toBe(id);
  });

  it.each([undefined, "", "Basic", "Basic !", "Basic a", "Bearer abc", basic("%E0%A4%A:x")])(
    "is nobody by %j",
    (authorization) => {
      expect(idOf("", authorization)).toBeNull();
    },
  );
});
