/** Pages that Better Auth sends people to; `web` serves them. */
export const AUTH_PAGES = { consent: "/consent", error: "/error", verifyEmail: "/verify-email", device: "/device" };

/** Where the pages ask about a user code. */
export const WAITING_DEVICE_PATH = "/device/waiting";
/** Where the pages send what somebody has decided about a device. */
export const DECIDE_DEVICE_PATH = "/device/decide";
