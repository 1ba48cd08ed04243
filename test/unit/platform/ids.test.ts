import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uuidv7 } from "../../../src/platform/ids.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{12}$/;
const MAX_TIME = 2 ** 48 - 1;

describe("a UUID of version 7", () => {
  it("has version 7 and the variant of RFC 9562, at any time", () => {
    fc.assert(
      fc.property(fc.nat(MAX_TIME), (now) => {
        const [, version, variant] = UUID.exec(uuidv7(now)) ?? [];
        expect(version).toBe("7");
        expect(variant).toMatch(/[89ab]/);
      }),
      { seed: 7 },
    );
  });

  it("begins with its time in milliseconds, as the example of RFC 9562 §A.6 does", () => {
    expect(uuidv7(0x017f22e279b0).slice(0, 14)).toBe("017f22e2-79b0-");
    fc.assert(
      fc.property(fc.nat(MAX_TIME), (now) => {
        expect(Number.parseInt(uuidv7(now).replace("-", "").slice(0, 12), 16)).toBe(now);
      }),
      { seed: 7 },
    );
  });

  it("sorts by its time", () => {
    fc.assert(
      fc.property(fc.nat(MAX_TIME), fc.nat(MAX_TIME), (a, b) => {
        fc.pre(a < b);
        expect(uuidv7(a) < uuidv7(b)).toBe(true);
      }),
      { seed: 7 },
    );
  });

  it("differs from the others of its millisecond", () => {
    expect(new Set(Array.from({ length: 1000 }, () => uuidv7(1))).size).toBe(1000);
  });

  it("is of now unless told", () => {
    const before = Date.now();
    const time = Number.parseInt(uuidv7().replace("-", "").slice(0, 12), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
  });
});
