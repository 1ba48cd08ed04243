import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exposedName, splitExposedName } from "../../../src/upstreams/tool-name.ts";

const slugs = fc.stringMatching(/^[a-z0-9-]{1,16}$/);
const tools = fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/);
const shortTools = fc.stringMatching(/^[A-Za-z0-9_.-]{1,46}$/);

describe("the exposed name of an upstream's tool", () => {
  it.each([
    ["notes", "create", "notes__create"],
    ["notes", "_private", "notes___private"],
    ["notes", "a__b", "notes__a__b"],
    ["a", "b__c", "a__b__c"],
  ])("of %s and %s is %s", async (slug, tool, name) => {
    expect(await exposedName(slug, tool)).toBe(name);
  });

  it("is whole up to 64 characters and ends with a hash beyond", async () => {
    expect(await exposedName("notes", "x".repeat(57))).toBe(`notes__${"x".repeat(57)}`);
    // Written down once: clients keep these names in their settings.
    expect(await exposedName("notes", "x".repeat(59))).toBe(`notes__${"x".repeat(48)}_i02zdfbx`);
    expect(await exposedName("notes", "x".repeat(58))).toBe(`notes__${"x".repeat(48)}_2dDeQiqC`);
  });

  it("has at most 64 characters, of those that clients take, and is always the same", async () => {
    await fc.assert(
      fc.asyncProperty(slugs, tools, async (slug, tool) => {
        const name = await exposedName(slug, tool);
        expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
        expect(await exposedName(slug, tool)).toBe(name);
      }),
      { seed: 64, numRuns: 300 },
    );
  });

  it("L09: differs for tools that differ only at the end of a long name", async () => {
    const long = "very_long_tool_name_".repeat(5);
    const names = await Promise.all(Array.from({ length: 500 }, (_, i) => exposedName("notes", `${long}${i}`)));
    expect(new Set(names).size).toBe(500);
  });

  it("L09: is of one upstream and one tool only", async () => {
    const pair = fc.tuple(slugs, shortTools);
    await fc.assert(
      fc.asyncProperty(pair, pair, async ([slugA, toolA], [slugB, toolB]) => {
        const same = slugA === slugB && toolA === toolB;
        expect((await exposedName(slugA, toolA)) === (await exposedName(slugB, toolB))).toBe(same);
      }),
      { seed: 64, numRuns: 500 },
    );
  });
});

describe("the split of an exposed name", () => {
  it("L09: gives back slug and tool, whatever the tool is called", async () => {
    await fc.assert(
      fc.asyncProperty(slugs, shortTools, async (slug, tool) => {
        const name = await exposedName(slug, tool);
        expect(splitExposedName(name)).toEqual({ slug, rest: tool, mayBeHashed: name.length === 64 });
      }),
      { seed: 64, numRuns: 500 },
    );
  });

  it("L09: gives the slug of a shortened name too, and says that the rest may be short", async () => {
    await fc.assert(
      fc.asyncProperty(slugs, fc.stringMatching(/^[A-Za-z0-9_.-]{62,128}$/), async (slug, tool) => {
        expect(splitExposedName(await exposedName(slug, tool))).toMatchObject({ slug, mayBeHashed: true });
      }),
      { seed: 64, numRuns: 200 },
    );
  });

  it("L09: takes a tool that mimics a prefix for a tool of the upstream that it stands behind", () => {
    expect(splitExposedName("a__b__delete")).toMatchObject({ slug: "a", rest: "b__delete" });
    expect(splitExposedName("a____b")).toMatchObject({ slug: "a", rest: "__b" });
  });

  it.each(["", "echo", "search_servers", "_", "__", "__echo", "___echo"])("is none for %j", (name) => {
    expect(splitExposedName(name)).toBeNull();
  });
});
