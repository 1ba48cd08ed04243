import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { hasMark, mark, signed } from "../../../src/platform/signed.ts";

const NOW = 1_800_000_000_000;
const LATER = NOW + 1_000;
const SECRETS = ["newest secret", "older secret"];
const VALUE = { userId: "u1", note: "Größe 漢字" };
const schema = z.object({ userId: z.string(), note: z.string() });
const link = signed("link.reset", schema);
const encoded = (content: unknown) => Buffer.from(JSON.stringify(content)).toString("base64url");

/** A value of ours with any content, made as the module documents it. */
const forged = (content: unknown, { secret = SECRETS[0] ?? "", purpose = "link.reset" } = {}) => {
  const payload = typeof content === "string" ? content : encoded(content);
  return `${payload}.${createHmac("sha256", secret)
    .update(JSON.stringify([purpose, payload]))
    .digest("base64url")}`;
};

describe("a signed value", () => {
  it("is read as it was signed, until it expires", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER);
    expect(text).toMatch(/^[\w-]+\.[\w-]{43}$/);
    expect(text).toBe(forged([LATER, VALUE]));
    expect(await link.read(SECRETS, text, LATER - 1)).toEqual(VALUE);
    expect(await link.read(SECRETS, text, LATER)).toBeUndefined();
  });

  it("may be anything that JSON holds", async () => {
    const any = signed("form", z.unknown());
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const text = await any.sign(SECRETS, value, LATER);
        expect(await any.read(SECRETS, text, NOW)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { seed: 1 },
    );
  });

  it("S02: is signed by the newest secret and good under each of them, and no other", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER);
    expect(await link.read(["newest secret"], text, NOW)).toEqual(VALUE);
    expect(await link.read(["even newer", ...SECRETS], text, NOW)).toEqual(VALUE);
    expect(await link.read(["older secret"], text, NOW)).toBeUndefined();
    expect(await link.read([], text, NOW)).toBeUndefined();
    await expect(link.sign([], VALUE, LATER)).rejects.toThrow("no secret");
  });

  it("is worth nothing for another purpose", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER);
    for (const purpose of ["link.address", "form", "publisher"] as const)
      expect(await signed(purpose, schema).read(SECRETS, text, NOW)).toBeUndefined();
  });

  it("is read only with what it was bound to", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER, ["a", "b"]);
    expect(await link.read(SECRETS, text, NOW, ["a", "b"])).toEqual(VALUE);
    for (const bound of [[], ["a"], ["b", "a"], ["a", "b", ""], ["ab"], ['a","b']])
      expect(await link.read(SECRETS, text, NOW, bound)).toBeUndefined();
  });

  it("is not changed by a single character", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER);
    for (let at = 0; at < text.length; at++) {
      const changed = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
      expect(await link.read(SECRETS, changed, NOW)).toBeUndefined();
    }
  });

  it("has one spelling", async () => {
    const text = await link.sign(SECRETS, VALUE, LATER);
    const [payload = "", signature = ""] = text.split(".");
    for (const other of [
      `${text}=`,
      ` ${text}`,
      `${text}\n`,
      `${payload}=.${signature}`,
      `${payload}.${signature}.`,
      payload,
      `${payload}.`,
      `.${signature}`,
      "",
      ".",
      "é.é",
      `${"A".repeat(10_000)}.${signature}`,
    ])
      expect(await link.read(SECRETS, other, NOW)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["of another shape", [LATER, { userId: 1 }]],
    ["without an expiry", [null, VALUE]],
    ["with an expiry as text", [String(LATER), VALUE]],
    ["that is no list", VALUE],
    ["that is null", null],
  ])("that another release has signed, %s, is none", async (_what, content) => {
    expect(await link.read(SECRETS, forged([LATER, VALUE]), NOW)).toEqual(VALUE);
    expect(await link.read(SECRETS, forged(content), NOW)).toBeUndefined();
  });
});

describe("a mark", () => {
  it("is the same for the same texts and purpose, and for no others", async () => {
    const given = await mark(SECRETS, "browser", ["a", "b"]);
    expect(given).toMatch(/^[\w-]{43}$/);
    expect(await mark(SECRETS, "browser", ["a", "b"])).toBe(given);
    for (const [purpose, parts] of [
      ["device", ["a", "b"]],
      ["browser", ["a"]],
      ["browser", ["b", "a"]],
      ["browser", ["a\nb"]],
      ["browser", ["a", "b", ""]],
      ["browser", ['a","b']],
    ] as const)
      expect(await hasMark(SECRETS, purpose, parts, [given])).toBe(false);
  });

  it("S02: is known among others, under any of the secrets", async () => {
    const given = await mark(["older secret"], "device", ["a"]);
    expect(await hasMark(SECRETS, "device", ["a"], ["x", "", given])).toBe(true);
    expect(await hasMark(SECRETS, "device", ["a"], ["x", `${given}A`, given.slice(1)])).toBe(false);
    expect(await hasMark(SECRETS, "device", ["a"], [])).toBe(false);
    expect(await hasMark(["foreign"], "device", ["a"], [given])).toBe(false);
    expect(await hasMark([], "device", ["a"], [given])).toBe(false);
    await expect(mark([], "device", ["a"])).rejects.toThrow("no secret");
  });
});
