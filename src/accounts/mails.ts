import { linkMail, type Mail } from "../platform/mail.ts";
import { AUTH_PAGES } from "../identity/pages.ts";

/** How long the links of these mails work. */
export const VERIFICATION_SECONDS = 3600;
export const RESET_SECONDS = 1800;
export const NEW_ADDRESS_SECONDS = 3600;

/** Pages behind these links. */
const ACCOUNT_PAGES = {
  forgotPassword: "/forgot-password",
  resetPassword: "/reset-password",
  confirmAddress: "/dashboard/account/confirm-address",
};

/**
 * Asks the owner of an address to confirm it. The link goes to our page: mail scanners open links, and opening must not confirm. `mark`
 * names the browser in which a click is enough.
 */
export function verificationMail(origin: string, to: string, url: string, mark?: string): Mail {
  const source = new URL(url).searchParams;
  const page = new URL(AUTH_PAGES.verifyEmail, origin);
  page.searchParams.set("token", source.get("token") ?? "");
  if (mark !== undefined) page.searchParams.set("browser", mark);
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

/** Lets somebody who has lost a password choose a new one. `next` is a path of our login to go on at. */
export function resetMail(origin: string, to: string, token: string, next: string | undefined): Mail {
  const page = new URL(ACCOUNT_PAGES.resetPassword, origin);
  page.searchParams.set("token", token);
  if (next?.startsWith("/sign-in?")) page.searchParams.set("next", next);
  return linkMail({
    to,
    subject: "Choose a new password",
    intro: "Someone, probably you, asked for a new password for your account at the MCP Registry Gateway.",
    action: "Choose a new password",
    url: page.href,
    outro:
      "The link is valid for 30 minutes and works once. If it was not you, ignore this message: nothing has changed.",
  });
}

/** Asks the owner of an address whether an account may take it as its own. */
export function newAddressMail(origin: string, to: string, token: string): Mail {
  const page = new URL(ACCOUNT_PAGES.confirmAddress, origin);
  page.searchParams.set("token", token);
  return linkMail({
    to,
    subject: "Confirm your new e-mail address",
    intro: "The owner of an account at the MCP Registry Gateway wants to use this address for it.",
    action: "Confirm the new address",
    url: page.href,
    outro: "Open the link where you are signed in. It is valid for one hour. If it was not you, ignore this message.",
  });
}

/** Tells the owner of an account that its password is another one. */
export const passwordChangedMail = (origin: string, to: string): Mail =>
  linkMail({
    to,
    subject: "Your password was changed",
    intro:
      "The password of your account at the MCP Registry Gateway was changed, and all other browsers were signed out.",
    action: "It was not you? Choose a new password",
    url: new URL(ACCOUNT_PAGES.forgotPassword, origin).href,
    outro: "If it was you, there is nothing to do.",
  });

/** Tells the old address of an account that it is no longer the one. The new address is left out: the mailbox may have another owner by now. */
export const addressChangedMail = (origin: string, to: string): Mail =>
  linkMail({
    to,
    subject: "Your e-mail address was changed",
    intro: "Your account at the MCP Registry Gateway now has another e-mail address. This one no longer signs in.",
    action: "The gateway",
    url: new URL("/", origin).href,
    outro: "If it was not you, tell the operator of the gateway at once.",
  });
