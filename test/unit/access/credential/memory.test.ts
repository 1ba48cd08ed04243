import { describe, expect, it } from "vitest";
import { recordMemory } from "../../../../src/access/credential/memory.ts";
import { NOW, versioned } from "../credentials.ts";

describe("the records that an isolate has seen", () => {
  it("are those that it was told last, and when that was", () => {
    const memory = recordMemory(10);
    expect([memory.get("a"), memory.confirmedAt("a")]).toEqual([undefined, undefined]);
    memory.set("a", versioned({}, 1), NOW);
    memory.set("a", versioned({}, 2), NOW + 5);
    expect([memory.get("a"), memory.confirmedAt("a")]).toEqual([versioned({}, 2), NOW + 5]);
    memory.forget("a");
    expect([memory.get("a"), memory.confirmedAt("a")]).toEqual([undefined, undefined]);
  });

  it("are no more than they may be: the one that was confirmed least recently goes", () => {
    const memory = recordMemory(2);
    for (const key of ["a", "b", "a", "c"]) memory.set(key, versioned(), NOW);
    expect(["a", "b", "c"].map((key) => memory.get(key) !== undefined)).toEqual([true, false, true]);
  });

  it("make room for each other when one is forgotten", () => {
    const memory = recordMemory(2);
    memory.set("a", versioned(), NOW);
    memory.set("b", versioned(), NOW);
    memory.forget("b");
    memory.set("c", versioned(), NOW);
    expect(["a", "b", "c"].map((key) => memory.get(key) !== undefined)).toEqual([true, false, true]);
  });
});
