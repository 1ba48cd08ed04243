/** Pages that Better Auth sends people to; `web` serves them. */
export const AUTH_PAGES = { consent: "/consent", error: "/error", verifyEmail: "/verify-email", device: "/device" };

/** The path where our pages look up a user code. */
export const WAITING_DEVICE_PATH = "/device/waiting";
/** The path to which our pages send a person's decision about a device. */
export const DECIDE_DEVICE_PATH = "/device/decide";
