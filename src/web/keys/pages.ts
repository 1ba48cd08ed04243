import type { Hono, MiddlewareHandler } from "hono";
import type { PageEnv, WebDeps } from "../frame/deps.ts";
import { askRevoke, changeLimits, enableKey, postRevoke, postRotate, renameKey, showKey } from "./actions.tsx";
import { postKey, showNewKey } from "./new.tsx";
import { KEYS_PATH, NEW_KEY_PATH, showKeys } from "./keys.tsx";

/** API keys of people and of the organizations that they manage. `form` protects the posts of one purpose. */
export function addKeyPages(
  pages: Hono<PageEnv>,
  deps: WebDeps,
  form: (purpose: string) => MiddlewareHandler<PageEnv>,
): void {
  const key = `${KEYS_PATH}/:key`;
  pages.get(KEYS_PATH, showKeys(deps));
  pages.get(NEW_KEY_PATH, showNewKey(deps)).post(NEW_KEY_PATH, form("key-new"), postKey(deps));
  pages.get(key, showKey(deps));
  pages.post(`${key}/name`, form("key-name"), renameKey(deps));
  pages.post(`${key}/limits`, form("key-limits"), changeLimits(deps));
  pages.post(`${key}/enabled`, form("key-enabled"), enableKey(deps));
  pages.post(`${key}/rotate`, form("key-rotate"), postRotate(deps));
  pages.get(`${key}/revoke`, askRevoke(deps)).post(`${key}/revoke`, form("key-revoke"), postRevoke(deps));
}
