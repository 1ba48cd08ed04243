import { linkMail, type Mail } from "./mail.ts";
import { AUTH_PAGES } from "./pages.ts";

/** How long the links of these mails work. */
export const VERIFICATION_SECONDS = 3600;

/** Asks the owner of an address to confirm it. The link goes to our page: mail scanners open links, and opening must not confirm. */
export function verificationMail(origin: string, to: string, url: string): Mail {
  const source = new URL(url).searchParams;
  const page = new URL(AUTH_PAGES.verifyEmail, origin);
  page.searchParams.set("token", source.get("token") ?? "");
  const next = source.get("callbackURL");
  if (next?.startsWith("/sign-in?")) page.searchParams.set("next", next);
  return linkMail({
    to,
    subject: "Confirm your e-mail address",
    intro: "Someone, probably you, opened an account at the MCP Registry Gateway with this address.",
    action: "Confirm the address",
    url: page.href,
    outro: "The link is valid for one hour. If it was not you, ignore this message.",
  });
}
