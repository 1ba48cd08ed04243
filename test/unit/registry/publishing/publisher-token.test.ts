import { describe, expect, it } from "vitest";
import { allowsName } from "../../../../src/registry/publishing/publish.ts";
import {
  grantFor,
  looksLikePublisherToken,
  patternsOf,
  readPublisherToken,
  signPublisherToken,
} from "../../../../src/registry/publishing/publisher-token.ts";

const token = {
  grants: [
    { tenantId: "t1", namespace: "com.example" },
    { tenantId: "t2", namespace: "com.example.tools" },
    { tenantId: "t3", namespace: "io.github.octo" },
  ],
  subject: "example.com",
  method: "dns",
};

describe("a publisher token", () => {
  it("C18: says what it was signed with, for its time, by any of the secrets", async () => {
    const text = await signPublisherToken(["old"], token, 1_000);
    expect(looksLikePublisherToken(text)).toBe(true);
    expect(text).toMatch(/^mrp_[\w-]+\.[\w-]{43}$/);
    expect(await readPublisherToken(["new", "old"], text, 999)).toEqual(token);
    expect(await readPublisherToken(["new", "old"], text, 1_000)).toBeUndefined();
    expect(await readPublisherToken(["new"], text, 0)).toBeUndefined();
  });

  it("C18: is not changed by a single character", async () => {
    const text = await signPublisherToken(["secret"], token, 1_000);
    for (let at = 0; at < text.length; at++) {
      const changed = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
      expect(await readPublisherToken(["secret"], changed, 0)).toBeUndefined();
    }
    for (const other of ["", "mrp_", `${text} `, `${text}.x`, text.slice(4), "mrp_".repeat(5_000)])
      expect(await readPublisherToken(["secret"], other, 0)).toBeUndefined();
  });

  it.each([
    ["com.example/w", "t1"],
    ["Com.Example/w", "t1"],
    ["com.example.other/w", "t1"],
    ["com.example.tools/w", "t2"],
    ["com.example.tools.deep/w", "t2"],
    ["io.github.octo/w", "t3"],
    ["io.github.octo.x/w", undefined],
    ["com.examples/w", undefined],
    ["com/w", undefined],
    ["com.example", undefined],
    ["", undefined],
  ])("speaks of %s for %s", (name, tenantId) => {
    expect(grantFor(token, name)?.tenantId).toBe(tenantId);
  });

  it("allows names by patterns that end where a namespace does", () => {
    const publisher = { namespaces: patternsOf("com.example") };
    const names = [
      "com.example/a",
      "com.example.b/a",
      "COM.example/a",
      "com.examples/a",
      "com.exampl/a",
      "org.example/a",
    ];
    expect(names.map((name) => allowsName(publisher, name))).toEqual([true, true, true, false, false, false]);
    expect(allowsName({ namespaces: "owned" }, "any/thing")).toBe(true);
    expect(allowsName({ namespaces: ["com.example/a"] }, "com.example/a")).toBe(false);
  });
});
