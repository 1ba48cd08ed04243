import { Hono } from "hono";
import type { HttpEnv } from "../platform/http.ts";
import { reportFailure } from "../http/failure.ts";
import { addAccountPages } from "./account/pages.ts";
import { disconnectApp, DISCONNECT_PATH, showApps } from "./account/apps.tsx";
import { decideConsent, showConsent } from "./consent/consent.tsx";
import type { PageEnv, WebDeps } from "./frame/deps.ts";
import { decideDevice, enterDeviceCode, showDevice } from "./consent/device-grant.tsx";
import { DECIDE_PATH, DEVICE_PATH } from "./consent/device-pages.tsx";
import { errorPage, failurePage } from "./frame/error.tsx";
import { pageHeaders } from "./frame/headers.ts";
import { home } from "./home.tsx";
import { addKeyPages } from "./keys/pages.ts";
import { protectedForm } from "./frame/protected-form.tsx";
import { PROVIDER_PATH, signInWithProvider } from "./sign-in/providers.tsx";
import { addRegistryPages } from "./registry/pages.ts";
import {
  revokeOtherSessions,
  revokeSession,
  REVOKE_OTHERS_PATH,
  REVOKE_PATH,
  showSessions,
} from "./account/sessions.tsx";
import { showSignIn, signIn } from "./sign-in/sign-in.tsx";
import { signOut } from "./sign-in/sign-out.ts";
import { showSignUp, signUp } from "./sign-in/sign-up.tsx";
import { addOrganizationPages } from "./organizations/pages.ts";
import { showVerifyEmail, verifyEmail } from "./sign-in/verify-email.tsx";

/** The pages for people. They consist of forms and links only, and need no scripts. */
export function web(deps: WebDeps): Hono<HttpEnv> {
  const { BASE_URL, LOGIN_PAGE } = deps.config;
  const form = (purpose: string) => protectedForm(deps, purpose);
  const headers = pageHeaders(BASE_URL.startsWith("https:"));
  const pages = new Hono<PageEnv>();
  for (const path of ["/", LOGIN_PAGE, "/sign-up", "/sign-out", "/verify-email", "/consent", "/error", "/dashboard/*"])
    pages.use(path, headers);
  for (const path of [PROVIDER_PATH, "/invite", "/invite/*", "/forgot-password", "/reset-password"])
    pages.use(path, headers);
  for (const path of [DEVICE_PATH, `${DEVICE_PATH}/*`, "/registry", "/registry/*"]) pages.use(path, headers);

  pages.get("/", home(deps));
  pages.get(LOGIN_PAGE, showSignIn(deps)).post(LOGIN_PAGE, form("sign-in"), signIn(deps));
  pages.post(PROVIDER_PATH, form("provider"), signInWithProvider(deps));
  pages.get("/sign-up", showSignUp(deps)).post("/sign-up", form("sign-up"), signUp(deps));
  pages.get("/verify-email", showVerifyEmail(deps)).post("/verify-email", form("verify-email"), verifyEmail(deps));
  pages.get("/consent", showConsent(deps)).post("/consent", form("consent"), decideConsent(deps));
  pages.get(DEVICE_PATH, showDevice(deps)).post(DEVICE_PATH, form("device"), enterDeviceCode(deps));
  pages.get(`${DEVICE_PATH}/:code`, showDevice(deps));
  pages.post(DECIDE_PATH, form("device-decision"), decideDevice(deps));
  pages.post("/sign-out", form("sign-out"), signOut(deps));
  pages.get("/dashboard", (c) => c.redirect("/dashboard/apps", 303));
  pages.get("/dashboard/apps", showApps(deps)).post(DISCONNECT_PATH, form("disconnect"), disconnectApp(deps));
  pages.get("/dashboard/sessions", showSessions(deps));
  pages.post(REVOKE_PATH, form("revoke-session"), revokeSession(deps));
  pages.post(REVOKE_OTHERS_PATH, form("revoke-others"), revokeOtherSessions(deps));
  addAccountPages(pages, deps, form);
  addKeyPages(pages, deps, form);
  addOrganizationPages(pages, deps, form);
  addRegistryPages(pages, deps, form);
  pages.get("/error", (c) => errorPage(c, c.req.query("error") ?? ""));

  pages.onError((error, c) => failurePage(c, reportFailure(deps.log, "web", c, error)));
  return new Hono<HttpEnv>().route("/", pages);
}
