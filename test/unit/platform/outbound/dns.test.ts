import { describe, expect, it } from "vitest";
import { ResolverUnavailable, textRecords } from "../../../../src/platform/outbound/dns.ts";

const answering =
  (body: unknown, status = 200): typeof fetch =>
  (target) => {
    const url = new URL(target instanceof Request ? target.url : target);
    expect([url.searchParams.get("name"), url.searchParams.get("type")]).toEqual(["example.com", "TXT"]);
    return Promise.resolve(Response.json(body, { status }));
  };
const record = (data: string, type = 16) => ({ name: "example.com", type, TTL: 60, data });

describe("the TXT records of a name", () => {
  it.each([
    ['"v=MCPv1; k=ed25519; p=abc"', "v=MCPv1; k=ed25519; p=abc"],
    ['"in two " "parts"', "in two parts"],
    [String.raw`"a \"quoted\" \\ text"`, String.raw`a "quoted" \ text`],
    ["without quotes", "without quotes"],
    ['""', ""],
  ])("of %s is %j", async (data, text) => {
    expect(await textRecords("example.com", answering({ Status: 0, Answer: [record(data)] }))).toEqual([text]);
  });

  it("are none for a name that has none, or is none", async () => {
    expect(await textRecords("example.com", answering({ Status: 0, Answer: [record("93.184.216.34", 1)] }))).toEqual(
      [],
    );
    expect(await textRecords("example.com", answering({ Status: 3 }))).toEqual([]);
  });

  it.each([
    [{ Status: 2 }, 200],
    [{}, 502],
  ])("are unknown when the resolver answers %j with %i", async (body, status) => {
    await expect(textRecords("example.com", answering(body, status))).rejects.toThrow(ResolverUnavailable);
  });
});
