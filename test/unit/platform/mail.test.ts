import { describe, expect, it } from "vitest";
import { linkMail, mailer, type Mail } from "../../../src/platform/mail.ts";

const MAIL: Mail = {
  to: "ann@example.com",
  subject: "Hello",
  text: "Text",
  html: "<p>Text</p>",
  links: ["https://gateway.example.com/x"],
};
const ACCOUNT = { RESEND_API_KEY: "re_123", MAIL_FROM: "Gateway <gateway@example.com>" };

/** Keeps the commands that a mailer gives to Redis and the requests that it makes. */
function recorder(answer = new Response("{}")) {
  const commands: unknown[][] = [];
  const requests: { url: string; init: RequestInit; body: string }[] = [];
  return {
    commands,
    requests,
    redis: {
      lpush: async (...args: unknown[]) => commands.push(["lpush", ...args]),
      ltrim: async (...args: unknown[]) => {
        commands.push(["ltrim", ...args]);
        return "OK";
      },
    } as unknown as Parameters<typeof mailer>[1],
    outbound: async (url: string, init: RequestInit) => {
      requests.push({ url, init, body: typeof init.body === "string" ? init.body : "" });
      return answer;
    },
  };
}

const parsed = (body: string | undefined) => JSON.parse(body ?? "null") as Record<string, unknown>;

describe("R12: a mail with an account at Resend", () => {
  it("R12: is one request to its API", async () => {
    const { requests, commands, redis, outbound } = recorder();
    await mailer(ACCOUNT, redis, outbound)(MAIL);
    expect(commands).toEqual([]);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.url).toBe("https://api.resend.com/emails");
    expect(requests[0]?.init).toMatchObject({
      method: "POST",
      headers: { authorization: "Bearer re_123", "content-type": "application/json" },
    });
    expect(parsed(requests[0]?.body)).toEqual({
      from: "Gateway <gateway@example.com>",
      to: ["ann@example.com"],
      subject: "Hello",
      text: "Text",
      html: "<p>Text</p>",
    });
  });

  it("I10: carries line breaks as data, so that they make no header and no other recipient", async () => {
    const { requests, redis, outbound } = recorder();
    const to = "ann@example.com\r\nBcc: eve@evil.example";
    await mailer(ACCOUNT, redis, outbound)({ ...MAIL, to, subject: "Hi\r\nBcc: eve@evil.example" });
    expect(Object.keys(requests[0]?.init.headers ?? {})).toEqual(["authorization", "content-type"]);
    expect(requests[0]?.body).not.toMatch(/[\r\n]/);
    expect(parsed(requests[0]?.body)).toMatchObject({ to: [to], subject: "Hi\r\nBcc: eve@evil.example" });
    expect(Object.keys(parsed(requests[0]?.body))).toEqual(["from", "to", "subject", "text", "html"]);
  });

  it.each([400, 401, 422, 429, 500])(
    "R12: that is refused with %i fails without repeating the answer",
    async (status) => {
      const { redis, outbound } = recorder(new Response("re_123 ann@example.com", { status }));
      await expect(mailer(ACCOUNT, redis, outbound)(MAIL)).rejects.toThrow(new Error(`Resend answered ${status}`));
    },
  );

  it("R12: leaves no answer open", async () => {
    const cancelled = Promise.withResolvers<string>();
    const answer = new Response(new ReadableStream({ cancel: () => cancelled.resolve("cancelled") }));
    const { redis, outbound } = recorder(answer);
    await mailer(ACCOUNT, redis, outbound)(MAIL);
    expect(await Promise.race([cancelled.promise, Promise.resolve("still open")])).toBe("cancelled");
  });
});

describe("R12: a mail without an account", () => {
  it("R12: is kept in the mailbox, which keeps the last 200", async () => {
    const { requests, commands, redis, outbound } = recorder();
    await mailer({ RESEND_API_KEY: undefined, MAIL_FROM: undefined }, redis, outbound)(MAIL);
    expect(requests).toEqual([]);
    const [push, trim] = commands;
    expect(push?.slice(0, 2)).toEqual(["lpush", "mrg1:dev:mailbox"]);
    const { at, ...kept } = JSON.parse(String(push?.[2])) as Mail & { at: string };
    expect(kept).toEqual(MAIL);
    expect(new Date(at).toISOString()).toBe(at);
    expect(trim).toEqual(["ltrim", "mrg1:dev:mailbox", 0, 199]);
  });
});

describe("a mail with a link", () => {
  const made = (url: string) =>
    linkMail({ to: "ann@example.com", subject: "S", intro: "Intro.", action: "Do it", url, outro: "Outro." });

  it("has the link as text, as HTML and in its list", () => {
    const url = "https://gateway.example.com/verify-email?token=abc&next=%2Fsign-in";
    const mail = made(url);
    expect(mail.text).toBe(`Intro.\n\nDo it: ${url}\n\nOutro.\n`);
    expect(mail.links).toEqual([url]);
    expect(mail.html).toContain(
      '<p><a href="https://gateway.example.com/verify-email?token=abc&amp;next=%2Fsign-in">Do it</a></p>',
    );
    expect(mail).toMatchObject({ to: "ann@example.com", subject: "S" });
  });

  it.each([
    'https://x.example.com/"onmouseover="x',
    'https://x.example.com/"><script>x</script>',
    "https://x/<img>",
    "a&b",
  ])("keeps the link inside its attribute: %s", (url) => {
    const { html } = made(url);
    const [, attribute] =
      /^<!doctype html><html lang="en"><body><p>Intro\.<\/p><p><a href="([^"]*)">Do it<\/a>/.exec(html) ?? [];
    expect(attribute).toBeDefined();
    expect(attribute).not.toContain("<");
    expect(attribute?.replaceAll("&lt;", "<").replaceAll("&quot;", '"').replaceAll("&amp;", "&")).toBe(url);
  });
});
