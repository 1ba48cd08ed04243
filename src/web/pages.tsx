import { Hono } from "hono";
import type { HttpEnv } from "../platform/http.ts";
import { decideConsent, showConsent } from "./consent.tsx";
import type { PageEnv, WebDeps } from "./deps.ts";
import { errorPage, failurePage } from "./error.tsx";
import { pageHeaders } from "./headers.ts";
import { home } from "./home.tsx";
import { protectedForm } from "./protected-form.tsx";
import { showSignIn, signIn } from "./sign-in.tsx";
import { signOut } from "./sign-out.ts";
import { showSignUp, signUp } from "./sign-up.tsx";
import { showVerifyEmail, verifyEmail } from "./verify-email.tsx";

/** The pages that people see. They are forms and links only: nothing here needs a script. */
export function web(deps: WebDeps): Hono<HttpEnv> {
  const { BASE_URL, LOGIN_PAGE } = deps.config;
  const form = (purpose: string) => protectedForm(deps, purpose);
  const headers = pageHeaders(BASE_URL.startsWith("https:"));
  const pages = new Hono<PageEnv>();
  for (const path of ["/", LOGIN_PAGE, "/sign-up", "/sign-out", "/verify-email", "/consent", "/error", "/dashboard/*"])
    pages.use(path, headers);

  pages.get("/", home(deps));
  pages.get(LOGIN_PAGE, showSignIn(deps)).post(LOGIN_PAGE, form("sign-in"), signIn(deps));
  pages.get("/sign-up", showSignUp(deps)).post("/sign-up", form("sign-up"), signUp(deps));
  pages.get("/verify-email", showVerifyEmail(deps)).post("/verify-email", form("verify-email"), verifyEmail(deps));
  pages.get("/consent", showConsent(deps)).post("/consent", form("consent"), decideConsent(deps));
  pages.post("/sign-out", form("sign-out"), signOut(deps));
  pages.get("/error", (c) => errorPage(c, c.req.query("error") ?? ""));

  pages.onError((error, c) => failurePage(c, deps.log, error));
  return new Hono<HttpEnv>().route("/", pages);
}
