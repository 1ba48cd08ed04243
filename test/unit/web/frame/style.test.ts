import { describe, expect, it } from "vitest";
import { DARK, LIGHT } from "../../../../src/web/frame/style.ts";

/** Relative luminance and contrast of WCAG 2.2. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

describe.each([
  ["light", LIGHT],
  ["dark", DARK],
])("the %s colours", (_name, colours) => {
  it.each([
    ["text", "page"],
    ["text", "surface"],
    ["muted", "page"],
    ["muted", "surface"],
    ["accent", "page"],
    ["accent", "surface"],
    ["accent-hover", "surface"],
    ["on-accent", "accent"],
    ["on-accent", "accent-hover"],
    ["danger", "surface"],
    ["danger", "danger-surface"],
    ["warning", "warning-surface"],
    ["success", "success-surface"],
  ] as const)("are readable: %s on %s", (text, ground) => {
    expect(contrast(colours[text], colours[ground])).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["page", "surface"] as const)("outline controls visibly on %s", (ground) => {
    expect(contrast(colours.control, colours[ground])).toBeGreaterThanOrEqual(3);
  });
});
