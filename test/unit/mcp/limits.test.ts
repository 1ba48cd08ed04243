import { describe, expect, it } from "vitest";
import type { LimitState } from "../../../src/access/refusal.ts";
import { limitHeaders, refusalHeaders } from "../../../src/mcp/limits.ts";

const credential: LimitState = { tier: "credential", limit: { perMinute: 1_200, burst: 200 }, remaining: 150 };
const gateway: LimitState = { tier: "gateway", limit: { perMinute: 7, burst: 3 }, remaining: 0 };
const admitted = { limits: [credential, gateway], quotaLeft: undefined, isDegraded: false };

/** A list of structured fields (RFC 9651 §3.1) of strings with integer parameters, as both fields are. */
const LIST = /^"[a-z]+"(;[a-z]+=\d+)+(, "[a-z]+"(;[a-z]+=\d+)+)*$/;

describe("R10: how a caller stands with its limits (draft-ietf-httpapi-ratelimit-headers)", () => {
  it("R10: is said for each limit: calls left, and seconds until all are back", () => {
    expect(limitHeaders(admitted)).toEqual({
      ratelimit: '"credential";r=150;t=3, "gateway";r=0;t=26',
      "ratelimit-policy": '"credential";q=200;w=10, "gateway";q=3;w=26',
    });
  });

  it("has the calls that are left of a quota, when there is one", () => {
    expect(limitHeaders({ ...admitted, limits: [credential], quotaLeft: 0 })).toMatchObject({
      ratelimit: '"credential";r=150;t=3, "quota";r=0',
    });
  });

  it.each([0, 1, 199, 200])("R10: can be parsed, with %i calls left", (remaining) => {
    const headers = limitHeaders({ ...admitted, limits: [{ ...credential, remaining }], quotaLeft: 7 });
    expect(Object.values(headers).filter((value) => !LIST.test(value))).toEqual([]);
    expect(Object.keys(headers)).toHaveLength(2);
  });

  it("R10: is full again at once when nothing is missing", () => {
    const state = { ...credential, remaining: 200 };
    expect(limitHeaders({ ...admitted, limits: [state] })).toMatchObject({ ratelimit: '"credential";r=200;t=0' });
  });

  it("R10: is not said when nothing was counted, nor while one isolate counts for itself", () => {
    expect(limitHeaders({ ...admitted, limits: [] })).toEqual({});
    expect(limitHeaders({ ...admitted, isDegraded: true, quotaLeft: 5 })).toEqual({});
  });
});

describe("R10: how a caller stands who is refused", () => {
  it("R10: is said for the limit that was reached, with the time to wait", () => {
    expect(refusalHeaders([gateway], 9)).toEqual({
      ratelimit: '"gateway";r=0;t=26',
      "ratelimit-policy": '"gateway";q=3;w=26',
      "retry-after": "9",
    });
    expect(refusalHeaders([], 1)).toEqual({ "retry-after": "1" });
  });
});
