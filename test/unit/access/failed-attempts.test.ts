import { describe, expect, it } from "vitest";
import { failedAttempts } from "../../../src/access/failed-attempts.ts";
import { localBuckets } from "../../../src/limits/local.ts";
import { NOW } from "./credentials.ts";

const LIMIT = { perMinute: 60, burst: 3 };
const fresh = () => failedAttempts(localBuckets(100), LIMIT);

/** Fails so often from an address that it may try no more. */
function fail(who: ReturnType<typeof fresh>, address: string | null, times = LIMIT.burst) {
  for (let n = 0; n < times; n++) who.failed(address, NOW);
}

describe("R10: an address whose requests come to nothing", () => {
  it("R10: may try until it has failed too often, and again when it has waited", () => {
    const who = fresh();
    fail(who, "192.0.2.1", 2);
    expect(who.refusalOf("192.0.2.1", NOW)).toBeUndefined();
    fail(who, "192.0.2.1", 1);
    const refusal = {
      kind: "rate_limited",
      tier: "address",
      limits: [{ tier: "address", limit: LIMIT, remaining: 0 }],
    };
    expect(who.refusalOf("192.0.2.1", NOW)).toEqual({ ...refusal, retryMs: 1_000 });
    expect(who.refusalOf("192.0.2.1", NOW + 999)).toEqual({ ...refusal, retryMs: 1 });
    expect(who.refusalOf("192.0.2.1", NOW + 1_000)).toBeUndefined();
  });

  it("R10: is shut out no longer for going on", () => {
    const who = fresh();
    fail(who, "192.0.2.1", 1_000);
    expect(who.refusalOf("192.0.2.1", NOW + 1_000)).toBeUndefined();
  });

  it("R10: is not limited for being asked about", () => {
    const who = fresh();
    for (let n = 0; n < 100; n++) expect(who.refusalOf("192.0.2.1", NOW)).toBeUndefined();
  });

  it.each<[string, string | null, string | null, boolean]>([
    ["an IPv4 address and itself", "192.0.2.1", "192.0.2.1", true],
    ["an IPv4 address and its neighbour", "192.0.2.1", "192.0.2.2", false],
    ["an IPv4 address and its form in IPv6", "192.0.2.1", "::ffff:192.0.2.1", true],
    ["two addresses of one /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true],
    ["two addresses of two /64", "2001:db8:1:2::1", "2001:db8:1:3::1", false],
    ["two spellings of an address", "2001:DB8:0:0::1", "2001:db8::1", true],
    ["no address and what is none", null, "gateway.example.com", true],
    ["no address and one", null, "192.0.2.1", false],
  ])("M01: is counted with others that are the same customer: %s", (_what, failing, other, isSame) => {
    const who = fresh();
    fail(who, failing);
    expect(who.refusalOf(other, NOW) !== undefined).toBe(isSame);
  });
});
