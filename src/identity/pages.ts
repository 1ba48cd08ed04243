/** Pages that Better Auth sends people to; `web` serves them. */
export const AUTH_PAGES = { consent: "/consent", error: "/error", verifyEmail: "/verify-email", device: "/device" };
