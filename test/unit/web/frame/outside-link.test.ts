import { describe, expect, it } from "vitest";
import { linkText, safeLink } from "../../../../src/web/frame/outside-link.tsx";

describe("a link that somebody else chose", () => {
  it.each([
    ["https://example.com", "https://example.com/"],
    ["HTTPS://EXAMPLE.com/a b", "https://example.com/a%20b"],
    ["http://example.com", undefined],
    ["javascript:alert(1)", undefined],
    ["\tjavascript:alert(1)", undefined],
    [" https://example.com", undefined],
    ["https:example.com", undefined],
    ["https://user@example.com", undefined],
    ["https://", undefined],
    ["data:text/html,x", undefined],
  ])("P05: %j leads to %j", (target, href) => {
    expect(safeLink(target)).toBe(href);
  });
});

describe("the text of such a link", () => {
  it.each([
    ["docs", "https://example.com/", "docs"],
    ["", "https://example.com/", "https://example.com/"],
    ["example.com/docs", "https://www.example.com/", "example.com/docs"],
    ["www.example.com", "https://example.com/", "https://example.com/"],
    ["example.com", "https://docs.example.com/", "https://docs.example.com/"],
    ["EXAMPLE.com: docs", "https://example.com/", "EXAMPLE.com: docs"],
    ["bank.example.com?", "https://evil.example.com/", "https://evil.example.com/"],
  ])("%j of %j is %j", (text, href, shown) => {
    expect(linkText(text, href)).toBe(shown);
  });
});
