import { describe, expect, it } from "vitest";
import { addressRange, canonicalAddress, visitorKey } from "../../../src/platform/ip.ts";

describe("an address in canonical form", () => {
  it.each([
    ["192.0.2.1", "00000000000000000000ffffc0000201"],
    ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
    ["::ffff:c000:201", "00000000000000000000ffffc0000201"],
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["2001:DB8::1", "20010db8000000000000000000000001"],
    ["2001:db8:1:2:3:4:5:6", "20010db8000100020003000400050006"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
  ])("of %s is %s", (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4 ",
    "a.b.c.d",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "fe80::1%eth0",
    "::ffff:1.2.3",
    "12345::",
    "g::",
    "::1.2.3.4.5",
  ])("does not exist for %j", (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });
});

describe("J14: an entry of an IP list", () => {
  const holds = (entry: string, address: string) => {
    const range = addressRange(entry);
    const canonical = canonicalAddress(address);
    if (!range || canonical === undefined) throw new Error("the test is wrong");
    return range[0] <= canonical && canonical <= range[1];
  };

  it.each([
    ["192.0.2.0/24", "192.0.2.255", true],
    ["192.0.2.0/24", "192.0.3.0", false],
    ["192.0.2.0/24", "::ffff:c000:201", true],
    ["::ffff:192.0.2.0/120", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["2001:db8::/64", "2001:db8::ffff:1", true],
    ["2001:db8::/64", "2001:db8:0:1::1", false],
    ["2001:db8::1/128", "2001:db8::1", true],
    ["10.128.0.0/9", "10.200.1.1", true],
    ["10.128.0.0/9", "10.127.255.255", false],
  ])("%s holds %s: %s", (entry, address, expected) => {
    expect(holds(entry, address)).toBe(expected);
  });

  it.each([
    "10.0.0.0/8x",
    "10.0.0.0/33",
    "10.0.0.1/8",
    "::/129",
    "2001:db8::1/64",
    "10.0.0.0/",
    "10.0.0.0/08",
    "a/8",
    "1.2.3.4/8/8",
    "10.0.0.0/-1",
  ])("%s is refused", (entry) => {
    expect(addressRange(entry)).toBeUndefined();
  });
});

describe("M01: what strangers are counted by", () => {
  it("is the address for IPv4, however it is written, and the /64 for IPv6", () => {
    expect(visitorKey("192.0.2.1")).toBe(visitorKey("::ffff:192.0.2.1"));
    expect(visitorKey("192.0.2.1")).not.toBe(visitorKey("192.0.2.2"));
    expect(visitorKey("2001:db8:0:1::1")).toBe(visitorKey("2001:db8:0:1:ffff::2"));
    expect(visitorKey("2001:db8:0:1::1")).not.toBe(visitorKey("2001:db8:0:2::1"));
    expect([visitorKey("nonsense"), visitorKey(""), visitorKey(null)]).toEqual(["unknown", "unknown", "unknown"]);
  });
});
