import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { AUDIT_EVENTS } from "../../../src/audit/event.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

describe("docs/audit.md", () => {
  it("R11: lists every event, in the words of the code and in its order", () => {
    const text = readFileSync(resolve(ROOT, "docs/audit.md"), "utf8");
    const rows = [...text.matchAll(/^\| `([a-z_]+\.[a-z_/]+)` \| (.+) \|$/gm)].map(([, name, meaning]) => [
      name,
      meaning,
    ]);
    expect(rows).toEqual(Object.entries(AUDIT_EVENTS));
  });

  it("R11: event names are a noun and what happened to it", () => {
    for (const name of Object.keys(AUDIT_EVENTS)) expect(name).toMatch(/^[a-z]+\.[a-z_/]+$/);
  });
});
