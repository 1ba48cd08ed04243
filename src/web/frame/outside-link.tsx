import type { FC } from "hono/jsx";

/** A link whose target somebody else chose. `href` comes from {@link safeLink}. */
export const Outside: FC<{ href: string; children?: unknown }> = ({ href, children }) => (
  <a href={href} rel="nofollow noopener">
    {children}
  </a>
);

/** The URL when a page may link to it: absolute, https, no credentials. Undefined for anything else. */
export function safeLink(target: string): string | undefined {
  const url = /^https:\/\//i.test(target) ? URL.parse(target) : null;
  return url?.protocol === "https:" && url.username === "" && url.password === "" ? url.href : undefined;
}

/**
 * The text to show for a link: its own text, or the URL if the text is empty or looks like the address of another host.
 */
export function linkText(text: string, href: string): string {
  const [, host] = /^(?:[a-z][a-z0-9+.-]*:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?=[/:?#]|$)/iu.exec(text) ?? [];
  if (host === undefined) return text === "" ? href : text;
  const actual = new URL(href).hostname;
  return host.toLowerCase() === actual || `www.${host.toLowerCase()}` === actual ? text : href;
}
