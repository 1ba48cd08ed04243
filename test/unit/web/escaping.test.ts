import { describe, expect, it } from "vitest";
import { client, session, signedQuery, visitor } from "./scripted.ts";

/** Ways to leave text and enter markup, attributes, scripts, styles, templates or another line. */
const XSS = [
  "<script>alert(1)</script>",
  "</title><script>alert(1)</script>",
  "</style><script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  '" autofocus onfocus="alert(1)',
  "' onmouseover='alert(1)",
  "<!--<script>alert(1)//-->",
  "]]><script>alert(1)</script>",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "<a href=javascript:alert(1)>x</a>",
  "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
  "&lt;script&gt;alert(1)&lt;/script&gt;<b>",
  "{{constructor.constructor('alert(1)')()}}<b>",
  "${alert(1)}<b>",
  "<base href=//evil.example.com>",
  "<meta http-equiv=refresh content=0;url=//evil.example.com>",
  "<form action=//evil.example.com><button>Allow",
  "\u202e<b>\u0000\u001b[31m",
  "<\u0000script>alert(1)</script>",
];
/** Every tag that the pages themselves write; `svg`, `img`, `script`, `iframe` and the like are not among them. */
const OWN_TAGS = new Set(
  "html head meta title link style body header a main div h1 h2 h3 p footer section form input label button strong bdi ul li dl dt dd code pre".split(
    " ",
  ),
);

function expectOnlyOwnMarkup(html: string): void {
  const tags = [...html.matchAll(/<\/?([a-z0-9-]+)/gi)].map(([, name = ""]) => name.toLowerCase());
  expect(tags.filter((name) => !OWN_TAGS.has(name))).toEqual([]);
  const attributes = [...html.matchAll(/<[a-z0-9]+((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>/gi)].flatMap(([, list = ""]) =>
    [...list.matchAll(/([\w-]+)(?:="[^"]*")?/g)].map(([, name = ""]) => name),
  );
  expect(attributes.filter((name) => name.startsWith("on") || name === "style" || name === "srcdoc")).toEqual([]);
  expect(html.match(/<b\b/i)).toBeNull();
  for (const invisible of ["\u0000", "\u001b", "\u202e"]) expect(html).not.toContain(invisible);
}

describe("text that others choose", () => {
  it.each(XSS)("Q02: is text on the consent page: %j", async (text) => {
    const { person } = visitor({
      "/get-session": session({ name: text, email: text }),
      "/oauth2/public-client": client(text),
    });
    const query = await signedQuery({ scope: `openid ${text.replaceAll(" ", "_")}`, resource: text, client_id: text });
    const page = await person.get(`/consent?${query}`);
    expect(page.status).toBe(200);
    expectOnlyOwnMarkup(page.html);
  });

  it.each(XSS)("is text on the home page: %j", async (text) => {
    const { person } = visitor({ "/get-session": session({ name: text, email: text }) });
    const page = await person.get("/");
    expect(page.status).toBe(200);
    expectOnlyOwnMarkup(page.html);
  });

  it.each(XSS)("is text where a form shows it again: %j", async (text) => {
    const { person } = visitor({ "/sign-in/email": { status: 401 }, "/sign-up/email": { status: 200 } });
    const signIn = await person.submit(await person.get("/sign-in"), "/sign-in", { email: text, password: text });
    expect(signIn.status).toBe(401);
    const signUp = await person.submit(await person.get("/sign-up"), "/sign-up", {
      name: text,
      email: text,
      password: text,
    });
    const verify = await person.get(`/verify-email?${new URLSearchParams({ token: text, next: text }).toString()}`);
    for (const { html } of [signIn, signUp, verify]) expectOnlyOwnMarkup(html.replaceAll(/value="[^"]*"/g, 'value=""'));
    for (const { html } of [signIn, signUp, verify]) expect(html).not.toMatch(/value="[^"]*[<>][^"]*"/);
  });

  it.each(XSS)("Q02: never reaches the error page: %j", async (text) => {
    const { person } = visitor({}, { signedIn: false });
    const search = new URLSearchParams({ error: text, error_description: `described ${text}` }).toString();
    const page = await person.get(`/error?${search}`);
    expect(page.status).toBe(400);
    expect(page.html).not.toContain("described");
    expect(page.html).toBe(
      (await person.get("/error?error=nothing_known")).html.replace(
        /nonce="[^"]*"/,
        /nonce="[^"]*"/.exec(page.html)?.[0] ?? "",
      ),
    );
  });
});
