import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { publicUrlProblem } from "../../../../src/platform/outbound/public-url.ts";

/** What is said of a URL given as text; text that is no URL at all cannot be asked either. */
function problemOf(text: string, allow: readonly string[] = []): string | undefined {
  const url = URL.parse(text);
  return url === null ? "not a URL" : publicUrlProblem(url, allow);
}

const ADDRESS = "an IP address is not allowed, use a public host name";
const NOT_PUBLIC = "this host name is not public";
const SHORT_NAME = "only public host names are allowed";

describe("a public URL", () => {
  it.each([
    "https://mcp.example.com/mcp",
    "https://mcp.example.com./mcp",
    "https://MCP.Example.COM/",
    "https://mcp.example.com:443/",
    "https://mcp.example.com:8443/mcp",
    "https://bücher.example.org/",
    "https://10.example.com/",
    "https://127.0.0.1.example.com/",
    "https://localhost.example.com/",
    "https://local.example.com/",
    "https://internal.example.com/",
    "https://not-local.example.net/",
    "https://example.com/?next=http://127.0.0.1/#@localhost",
    "https://nip.io.example.com/",
    "https://mylocalhost.example.com/",
    "https://nowhere.mylocal/",
    "https://notnip.io/",
  ])("may be asked: %s", (text) => {
    expect(problemOf(text)).toBeUndefined();
  });
});

describe("E02: an IPv4 address is not asked", () => {
  it.each([
    ["this host", "https://0.0.0.0/"],
    ["this network", "https://0.1.2.3/"],
    ["private 10/8", "https://10.0.0.1/"],
    ["the end of 10/8", "https://10.255.255.255/"],
    ["shared 100.64/10", "https://100.64.0.1/"],
    ["loopback", "https://127.0.0.1/"],
    ["loopback beyond the first", "https://127.255.255.254/"],
    ["link-local metadata", "https://169.254.169.254/latest/meta-data/"],
    ["container metadata", "https://169.254.170.2/"],
    ["private 172.16/12", "https://172.16.0.1/"],
    ["the end of 172.16/12", "https://172.31.255.255/"],
    ["documentation", "https://192.0.2.1/"],
    ["6to4 relay", "https://192.88.99.1/"],
    ["private 192.168/16", "https://192.168.1.1/"],
    ["benchmarks", "https://198.18.0.1/"],
    ["multicast", "https://224.0.0.1/"],
    ["reserved", "https://240.0.0.1/"],
    ["broadcast", "https://255.255.255.255/"],
    ["a public one: its certificate would say nothing", "https://203.0.113.7/"],
    ["with a port", "https://127.0.0.1:8443/"],
    ["with a dot at the end", "https://127.0.0.1./"],
    ["short of three parts", "https://127.1/"],
    ["short of two parts", "https://10.1.2/"],
    ["one decimal number", "https://2130706433/"],
    ["one hexadecimal number", "https://0x7f000001/"],
    ["one octal number", "https://017700000001/"],
    ["octal parts", "https://0177.0.0.01/"],
    ["hexadecimal parts", "https://0x7f.0x0.0x0.0x1/"],
    ["mixed parts", "https://0xA9.254.0251.0xfe/"],
    ["metadata as one number", "https://2852039166/"],
    ["zero", "https://0/"],
    ["percent-encoded", "https://%31%32%37.0.0.1/"],
    ["in full-width digits", "https://１２７.０.０.１/"],
    ["with ideographic full stops", "https://169。254。169。254/"],
    ["in circled digits", "https://①②⑦.⓪.⓪.①/"],
  ])("%s", (_what, text) => {
    expect(problemOf(text)).toBe(ADDRESS);
  });

  it("however it is written", () => {
    const spellings = [
      (n: number) => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join("."),
      (n: number) => [24, 16, 8, 0].map((shift) => `0x${((n >>> shift) & 255).toString(16)}`).join("."),
      (n: number) => [24, 16, 8, 0].map((shift) => `0${((n >>> shift) & 255).toString(8)}`).join("."),
      (n: number) => String(n),
      (n: number) => `0x${n.toString(16)}`,
      (n: number) => `0${n.toString(8)}`,
      (n: number) => `${n >>> 24}.${n & 0xffffff}`,
      (n: number) => `${n >>> 24}.${(n >>> 16) & 255}.${n & 0xffff}`,
    ];
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.constantFrom(...spellings), (address, spell) => {
        expect(problemOf(`https://${spell(address)}/`)).toBe(ADDRESS);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it.each(["https://256.256.256.256/", "https://1.2.3.4.5/", "https://0x/", "https://127.0.0.1:99999/"])(
    "and %s is none",
    (text) => {
      expect(problemOf(text)).toBeDefined();
    },
  );
});

describe("E03: an IPv6 address is not asked", () => {
  it.each([
    ["unspecified", "https://[::]/"],
    ["loopback", "https://[::1]/"],
    ["loopback in full", "https://[0:0:0:0:0:0:0:1]/"],
    ["unique local", "https://[fc00::1]/"],
    ["unique local, assigned", "https://[fd12:3456:789a::1]/"],
    ["metadata", "https://[fd00:ec2::254]/"],
    ["link-local", "https://[fe80::1]/"],
    ["site-local", "https://[fec0::1]/"],
    ["multicast", "https://[ff02::1]/"],
    ["mapped loopback", "https://[::ffff:127.0.0.1]/"],
    ["mapped metadata", "https://[::ffff:169.254.169.254]/"],
    ["mapped in hexadecimal", "https://[::ffff:a9fe:a9fe]/"],
    ["compatible", "https://[::127.0.0.1]/"],
    ["6to4", "https://[2002:7f00:1::]/"],
    ["NAT64", "https://[64:ff9b::7f00:1]/"],
    ["local NAT64", "https://[64:ff9b:1::a9fe:a9fe]/"],
    ["Teredo", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/"],
    ["documentation", "https://[2001:db8::1]/"],
    ["a public one", "https://[2606:4700::1111]/"],
    ["with a port", "https://[::1]:8443/"],
  ])("%s", (_what, text) => {
    expect(problemOf(text)).toBe(ADDRESS);
  });

  it.each(["https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1/", "https://[v1.x]/"])(
    "nor one that the parser refuses: %s",
    (text) => {
      expect(problemOf(text)).toBe("not a URL");
    },
  );
});

describe("E02: a name for something near is not asked", () => {
  it.each([
    ["https://localhost/", SHORT_NAME],
    ["https://LOCALHOST:8443/", SHORT_NAME],
    ["https://localhost./", SHORT_NAME],
    ["https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", SHORT_NAME],
    ["https://%6c%6f%63%61%6c%68%6f%73%74/", SHORT_NAME],
    ["https://app.localhost/", NOT_PUBLIC],
    ["https://app.localhost./", NOT_PUBLIC],
    ["https://App.LocalHost/", NOT_PUBLIC],
    ["https://ip6-localhost/", SHORT_NAME],
    ["https://redis/", SHORT_NAME],
    ["https://redis./", SHORT_NAME],
    ["https://instance-data/", SHORT_NAME],
    ["https://printer.local/", NOT_PUBLIC],
    ["https://printer.local./", NOT_PUBLIC],
    ["https://metadata.google.internal/", NOT_PUBLIC],
    ["https://metadata.google.internal./", NOT_PUBLIC],
    ["https://METADATA.GOOGLE.INTERNAL/", NOT_PUBLIC],
    ["https://metadata.goog/", NOT_PUBLIC],
    ["https://metadata.goog./", NOT_PUBLIC],
    ["https://instance-data.ec2.internal/", NOT_PUBLIC],
    ["https://kubernetes.default.svc.cluster.local/", NOT_PUBLIC],
    ["https://host.docker.internal/", NOT_PUBLIC],
    ["https://wiki.intranet/", NOT_PUBLIC],
    ["https://wiki.corp/", NOT_PUBLIC],
    ["https://nas.lan/", NOT_PUBLIC],
    ["https://router.home/", NOT_PUBLIC],
    ["https://router.home.arpa/", NOT_PUBLIC],
    ["https://db.private/", NOT_PUBLIC],
    ["https://app.test/", NOT_PUBLIC],
    ["https://app.invalid/", NOT_PUBLIC],
    ["https://service.onion/", NOT_PUBLIC],
    ["https://1.0.0.127.in-addr.arpa/", NOT_PUBLIC],
    ["https://127.0.0.1.nip.io/", NOT_PUBLIC],
    ["https://127.0.0.1.nip.io./", NOT_PUBLIC],
    ["https://app.7f000001.nip.io/", NOT_PUBLIC],
    ["https://169-254-169-254.sslip.io/", NOT_PUBLIC],
    ["https://10.0.0.1.xip.io/", NOT_PUBLIC],
    ["https://localtest.me/", NOT_PUBLIC],
    ["https://app.lvh.me/", NOT_PUBLIC],
  ])("%s", (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });
});

describe("a URL of another form is not asked", () => {
  it.each([
    "http://mcp.example.com/",
    "http://mcp.example.com:443/",
    "ftp://mcp.example.com/",
    "ws://mcp.example.com/",
    "wss://mcp.example.com/",
    "file:///etc/passwd",
    "gopher://mcp.example.com:70/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "blob:https://mcp.example.com/1",
    "mcp.example.com:443",
  ])("%s", (text) => {
    expect(problemOf(text)).toBe("only https is allowed");
  });

  it.each([
    "https://user:pw@mcp.example.com/",
    "https://user@mcp.example.com/",
    "https://:pw@mcp.example.com/",
    "https://mcp.example.com@127.0.0.1/",
    "https://mcp.example.com%40x:y@169.254.169.254/",
  ])("%s", (text) => {
    expect(problemOf(text)).toBe("a URL must not carry credentials");
  });

  it.each([1, 22, 25, 53, 80, 110, 389, 444, 1023])("https on port %i", (port) => {
    expect(problemOf(`https://mcp.example.com:${port}/`)).toBe("this port is not allowed");
  });

  it.each([
    ["https://mcp.example.com\\@127.0.0.1/", undefined],
    ["https:\\\\127.0.0.1/", ADDRESS],
    ["https:127.0.0.1", ADDRESS],
    ["https:///127.0.0.1/", ADDRESS],
    ["https://127.0.0.1\t/", ADDRESS],
    ["https://127.0\n.0.1/", ADDRESS],
  ])("a spelling that the parser repairs is judged as repaired: %j", (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });
});

describe("the list of what development may ask", () => {
  const ALLOW = ["127.0.0.1:9000", "[::1]:9001", "localhost:80", "upstream.internal:443"];

  it.each([
    "http://127.0.0.1:9000/mcp",
    "https://127.0.0.1:9000/mcp",
    "http://0x7f.1:9000/",
    "http://[::1]:9001/",
    "http://localhost/",
    "https://upstream.internal/",
    "https://mcp.example.com/",
  ])("lets through %s", (text) => {
    expect(problemOf(text, ALLOW)).toBeUndefined();
  });

  it.each([
    "http://127.0.0.1:9001/",
    "http://127.0.0.1/",
    "http://127.0.0.2:9000/",
    "http://127.0.0.1:90000",
    "http://localhost:9000/",
    "https://localhost/",
    "http://upstream.internal/",
    "http://a.upstream.internal:443/",
    "http://upstream.internal.example.com:443/",
    "ftp://127.0.0.1:9000/",
    "ws://127.0.0.1:9000/",
    "http://user:pw@127.0.0.1:9000/",
    "http://mcp.example.com/",
  ])("does not let through %s", (text) => {
    expect(problemOf(text, ALLOW)).toBeDefined();
  });

  it.each(["", "127.0.0.1", "*", "*:9000", "127.0.0.1:*", "0.0.0.0/0", ":9000"])("takes no patterns: %j", (entry) => {
    expect(problemOf("http://127.0.0.1:9000/", [entry])).toBeDefined();
  });
});
