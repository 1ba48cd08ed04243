import { linkMail, type Mail } from "../platform/mail.ts";
import { AUTH_PAGES } from "../identity/pages.ts";

/** How long the links in these emails work, in seconds. */
export const VERIFICATION_SECONDS = 3600;
export const RESET_SECONDS = 1800;
export const NEW_ADDRESS_SECONDS = 3600;

/** The pages that the links open. */
const ACCOUNT_PAGES = {
  forgotPassword: "/forgot-password",
  resetPassword: "/reset-password",
  confirmAddress: "/dashboard/account/confirm-address",
};

/**
 * Asks the owner of an address to confirm it. The link opens a page of ours that asks again: mail scanners open links,
 * so opening one must not confirm anything. `mark` identifies the browser in which a click is enough.
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
    subject: "Confirm your email address",
    intro: "Someone, probably you, created an account at the MCP Registry Gateway with this address.",
    action: "Confirm the address",
    url: page.href,
    outro: "The link is valid for one hour. If this wasn't you, ignore this email.",
  });
}

/** The email with the link for choosing a new password. `next` is a path of our sign-in page at which to continue. */
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
      "The link is valid for 30 minutes and works once. If this wasn't you, ignore this email: nothing has changed.",
  });
}

/** Asks the owner of an address whether an account may use it. */
export function newAddressMail(origin: string, to: string, token: string): Mail {
  const page = new URL(ACCOUNT_PAGES.confirmAddress, origin);
  page.searchParams.set("token", token);
  return linkMail({
    to,
    subject: "Confirm your new email address",
    intro: "The owner of an account at the MCP Registry Gateway wants to use this email address for it.",
    action: "Confirm the new address",
    url: page.href,
    outro:
      "Open the link in the browser in which you are signed in. It is valid for one hour. If this wasn't you, ignore this email.",
  });
}

/** Tells the owner of an account that its password was changed. */
export const passwordChangedMail = (origin: string, to: string): Mail =>
  linkMail({
    to,
    subject: "Your password was changed",
    intro:
      "The password of your account at the MCP Registry Gateway was changed, and all other browsers were signed out.",
    action: "Wasn't you? Choose a new password",
    url: new URL(ACCOUNT_PAGES.forgotPassword, origin).href,
    outro: "If it was you, you don't need to do anything.",
  });

/**
 * Tells the old address of an account that the account has another address now. The new one is not named: the mailbox
 * of the old address may have another owner by now.
 */
export const addressChangedMail = (origin: string, to: string): Mail =>
  linkMail({
    to,
    subject: "Your email address was changed",
    intro:
      "Your account at the MCP Registry Gateway now has another email address. You can no longer sign in with this one.",
    action: "Open the gateway",
    url: new URL("/", origin).href,
    outro: "If this wasn't you, tell the operator of the gateway immediately.",
  });
