import type { pagesOnBetterAuth } from "./better-auth.ts";
import type { browser, Page } from "./browser.ts";

export const PERSON = { name: "Test Person", email: "person@example.com", password: "a long enough password" };

export type Pages = ReturnType<typeof pagesOnBetterAuth>;
export type Browser = ReturnType<typeof browser>;

/** Opens an account, confirms it through the mail, and returns the page that says so. `query` is that of the sign-up page. */
export async function signUpAndVerify(pages: Pages, person: Browser, query = ""): Promise<Page> {
  await person.submit(await person.get(`/sign-up${query}`), "/sign-up", PERSON);
  const link = new URL(pages.mails.at(-1)?.links[0] ?? "");
  return person.submit(await person.get(`${link.pathname}${link.search}`), "/verify-email", {});
}

/** Fills in the login page. */
export const signIn = (person: Browser, page: Page, password = PERSON.password) =>
  person.submit(page, "/sign-in", { email: PERSON.email, password });
