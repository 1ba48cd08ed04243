import type { Config } from "./config.ts";
import { Unavailable } from "./errors.ts";
import { redisKeys, type Redis } from "./redis/redis.ts";

/** An email to one person. `links` repeats the URLs of the body, for tests and developers. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  links: readonly string[];
}

export type SendMail = (mail: Mail) => Promise<void>;

const RESEND = "https://api.resend.com/emails";
const MAILBOX_SIZE = 200;

/**
 * Sends email through Resend's API when a key is set (https://resend.com/docs/api-reference/emails/send-email),
 * otherwise to the development mailbox.
 */
export function mailer(
  config: Pick<Config, "RESEND_API_KEY" | "MAIL_FROM">,
  redis: Pick<Redis, "lpush" | "ltrim">,
  outbound: (url: string, init: RequestInit) => Promise<Response>,
): SendMail {
  const { RESEND_API_KEY: apiKey, MAIL_FROM: from } = config;
  if (apiKey === undefined || from === undefined) {
    return async (mail) => {
      await redis.lpush(redisKeys.mailbox, JSON.stringify({ ...mail, at: new Date().toISOString() }));
      await redis.ltrim(redisKeys.mailbox, 0, MAILBOX_SIZE - 1);
    };
  }
  return async ({ to, subject, text, html }) => {
    const answer = await outbound(RESEND, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ from, to: [to], subject, text, html }),
    }).catch((cause: unknown) => {
      throw new Unavailable("The email service did not answer.", { cause });
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`Resend answered ${answer.status}`);
  };
}

/** An email with one link. It does not contain the recipient's name, because whoever signs up chooses it. */
export function linkMail(input: {
  to: string;
  subject: string;
  intro: string;
  action: string;
  url: string;
  outro: string;
}): Mail {
  const { to, subject, intro, action, url, outro } = input;
  const escaped = url.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  return {
    to,
    subject,
    text: `${intro}\n\n${action}: ${url}\n\n${outro}\n`,
    html: `<!doctype html><html lang="en"><body><p>${intro}</p><p><a href="${escaped}">${action}</a></p><p>${outro}</p></body></html>`,
    links: [url],
  };
}
