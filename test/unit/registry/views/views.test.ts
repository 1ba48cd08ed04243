import { drizzle } from "drizzle-orm/pg-proxy";
import { describe, expect, it } from "vitest";
import type { Db } from "../../../../src/platform/postgres/db.ts";
import {
  accessOf,
  generateViewSecret,
  isViewSecret,
  noteUse,
  useMemory,
  viewRefusal,
} from "../../../../src/registry/views/views.ts";

const row = { id: "v", tenant_id: "t", addresses: null, ends_at: null };

describe("a secret of a private view", () => {
  it("is 43 letters and digits, each as likely as the others, and never the same", () => {
    const secrets = Array.from({ length: 500 }, generateViewSecret);
    expect(secrets.every(isViewSecret)).toBe(true);
    expect(new Set(secrets).size).toBe(500);
    const counts = new Map<string, number>();
    for (const char of secrets.join("")) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).toBe(62);
    const expected = (500 * 43) / 62;
    for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(expected / 2);
  });

  it.each(["", "a".repeat(42), "a".repeat(44), `${"a".repeat(42)}-`, `${"a".repeat(42)}é`, `${"a".repeat(43)}\n`])(
    "is not %j",
    (text) => {
      expect(isViewSecret(text)).toBe(false);
    },
  );
});

describe("a private view", () => {
  it.each<
    [
      Partial<Omit<typeof row, "addresses" | "ends_at">> & { addresses?: string[]; ends_at?: string },
      string | null,
      string | undefined,
    ]
  >([
    [{}, null, undefined],
    [{ ends_at: "1970-01-01T00:00:00.001Z" }, null, "ended"],
    [{ ends_at: "1970-01-01T00:00:00.002Z" }, null, undefined],
    [{ addresses: ["192.0.2.0/24"] }, "192.0.2.9", undefined],
    [{ addresses: ["192.0.2.0/24"] }, "::ffff:192.0.2.9", undefined],
    [{ addresses: ["192.0.2.0/24"] }, "192.0.3.9", "address"],
    [{ addresses: ["192.0.2.0/24"] }, null, "address"],
    [{ addresses: ["192.0.2.0/24"] }, "nonsense", "address"],
    [{ addresses: [] }, "192.0.2.9", "address"],
    [{ addresses: ["no range at all"] }, "192.0.2.9", "address"],
    [{ addresses: ["2001:db8::/32", "10.0.0.1"] }, "2001:db8:1::1", undefined],
  ])("of %j asked from %s refuses because of %s", (fields, address, refusal) => {
    const access = accessOf({ ...row, ...fields });
    expect(access && viewRefusal(access, address, 1)).toBe(refusal);
  });

  it("is none without a row", () => {
    expect(accessOf(undefined)).toBeUndefined();
  });
});

describe("the use of a view", () => {
  it("is written down once a minute, and for the log once an hour and address", async () => {
    const entries: boolean[] = [];
    const db = drizzle(async (_sql, params) => {
      entries.push(params.includes(true));
      return { rows: [] };
    }) as unknown as Pick<Db, "execute">;
    const memory = useMemory();
    const note = async (block: string, now: number) => {
      const before = entries.length;
      await noteUse(
        db,
        memory,
        { view: { id: "v", tenantId: "t" }, from: { requestId: "r", ip: null, userAgent: null }, block },
        now,
      );
      return entries.slice(before);
    };
    expect(await note("a", 0)).toEqual([true]);
    expect(await note("a", 59_999)).toEqual([]);
    expect(await note("b", 59_999)).toEqual([true]);
    expect(await note("a", 60_000)).toEqual([false]);
    expect(await note("a", 3_600_000)).toEqual([true]);
  });
});
