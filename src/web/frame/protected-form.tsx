import type { MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { randomToken } from "../../platform/crypto.ts";
import type { PageContext, PageEnv, WebDeps } from "./deps.ts";
import { acceptForm, formCookieName, isFormCookie, issueFormToken, type FormRefusal } from "./form.ts";
import { htmlPage } from "./layout.tsx";

type FormDeps = Pick<WebDeps, "config">;

/** The token for a form of this page. Keeps the browser's form cookie, so that forms in several windows stay valid. */
export async function formToken(c: PageContext, { config }: FormDeps, purpose: string): Promise<string> {
  return issueFormToken(config.BETTER_AUTH_SECRETS, formCookie(c, config.BASE_URL), purpose, Date.now());
}

function formCookie(c: PageContext, origin: string): string {
  const secure = origin.startsWith("https:");
  const name = formCookieName(secure);
  const known = c.get("formCookie") ?? getCookie(c, name);
  if (isFormCookie(known)) return known;
  const made = randomToken(16);
  c.set("formCookie", made);
  setCookie(c, name, made, { httpOnly: true, sameSite: "Lax", path: "/", secure });
  return made;
}

/** Accepts a post only if it comes from our own form of this purpose. Its fields are then in `c.get("form")`. */
export function protectedForm({ config }: FormDeps, purpose: string): MiddlewareHandler<PageEnv> {
  const cookieName = formCookieName(config.BASE_URL.startsWith("https:"));
  return async (c, next) => {
    const form = await acceptForm(c.req.raw, {
      origin: config.BASE_URL,
      secrets: config.BETTER_AUTH_SECRETS,
      cookie: getCookie(c, cookieName),
      purpose,
      now: Date.now(),
    });
    if ("refusal" in form) return refusedForm(c, config.BASE_URL, form.refusal);
    c.set("form", form.fields);
    return next();
  };
}

const REFUSALS = {
  expired: {
    title: "This form has expired",
    status: 403,
    advice: () =>
      "Nothing was changed. Go back, reload the page and submit the form again. Your browser must accept cookies.",
  },
  foreign: {
    title: "This form came from another site",
    status: 403,
    advice: (origin: string) => `Nothing was changed. Open ${origin} and submit the form there.`,
  },
  media_type: {
    title: "Wrong content type",
    status: 415,
    advice: () => "Send the fields as application/x-www-form-urlencoded.",
  },
  too_large: {
    title: "This form is too large",
    status: 413,
    advice: () => "Nothing was changed. Go back and shorten what you entered.",
  },
} as const satisfies Record<FormRefusal, unknown>;

/** The page for a form that was not accepted. Nothing was changed. */
export function refusedForm(c: PageContext, origin: string, refusal: FormRefusal): Response | Promise<Response> {
  const { title, status, advice } = REFUSALS[refusal];
  return htmlPage(c, { title, status }, <p>{advice(origin)}</p>);
}
