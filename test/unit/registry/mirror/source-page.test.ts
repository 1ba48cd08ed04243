import { describe, expect, it } from "vitest";
import { ResolverUnavailable } from "../../../../src/platform/outbound/dns.ts";
import { guardedFetch, type Outbound } from "../../../../src/platform/outbound/outbound.ts";
import { askForPage, pageUrl } from "../../../../src/registry/mirror/source-page.ts";
import { silence } from "../../../support/other-registry.ts";

const FIRST = { url: "https://registry.example.com", cursor: null, since: null };
const answering =
  (body: BodyInit, init: ResponseInit = {}): Outbound =>
  () =>
    Promise.resolve(new Response(body, init));
const faultOf = async (outbound: Outbound, deadlineMs = 1_000) => {
  const asked = await askForPage(outbound, FIRST, deadlineMs);
  return "fault" in asked ? asked.fault : undefined;
};

describe("a page of another registry", () => {
  it("is asked for as the API says", () => {
    expect(pageUrl(FIRST)).toBe("https://registry.example.com/v0.1/servers?limit=100");
    const later = { url: "https://example.com/a", cursor: "x:y &", since: new Date("2026-01-02T03:04:05.678Z") };
    expect(pageUrl(later)).toBe(
      "https://example.com/a/v0.1/servers?limit=100&cursor=x%3Ay+%26&updated_since=2026-01-02T03%3A04%3A05.678Z&include_deleted=true",
    );
  });

  it("has entries, what follows, and the time over there", async () => {
    const body = JSON.stringify({ servers: [{ a: 1 }, 2], metadata: { count: 2, nextCursor: "n" } });
    const date = "Thu, 01 Jan 2026 00:00:00 GMT";
    expect(await askForPage(answering(body, { headers: { date } }), FIRST, 1_000)).toEqual({
      page: { entries: [{ a: 1 }, 2], nextCursor: "n", at: Date.parse(date) },
    });
  });

  it.each([undefined, null, {}, { nextCursor: null }, { nextCursor: "" }])(
    "is the last with the metadata %j",
    async (metadata) => {
      const asked = await askForPage(answering(JSON.stringify({ servers: [], metadata })), FIRST, 1_000);
      expect(asked).toEqual({ page: { entries: [], nextCursor: null, at: null } });
    },
  );

  it.each<[string, BodyInit]>([
    ["HTML", "<html>"],
    ["nothing", ""],
    ["a list", "[]"],
    ["no servers", "{}"],
    ["servers that are no list", '{"servers":{}}'],
    ["a cursor that is a number", '{"servers":[],"metadata":{"nextCursor":5}}'],
    ["a cursor with a NUL", String.raw`{"servers":[],"metadata":{"nextCursor":"a\u0000"}}`],
    ["half a character for a cursor", String.raw`{"servers":[],"metadata":{"nextCursor":"\ud800"}}`],
    ["a cursor of 5,000 characters", JSON.stringify({ servers: [], metadata: { nextCursor: "a".repeat(5_000) } })],
    ["1,001 entries", JSON.stringify({ servers: Array.from({ length: 1_001 }, () => 0) })],
    ["bytes that are no text", new Uint8Array([0x7b, 0xff, 0x7d])],
  ])("is none when it is %s", async (_what, body) => {
    expect(await faultOf(answering(body))).toEqual({
      problem: "The answer is not a list of servers (MCP Registry API v0.1).",
      isRefused: false,
    });
  });

  it.each([
    [500, false],
    [503, false],
    [429, false],
    [204, false],
    [400, true],
    [404, true],
    [410, true],
  ])("is none with status %s; whether the request was at fault: %s", async (status, isRefused) => {
    const body = status === 204 ? null : "Error at <script>";
    expect(await faultOf(() => Promise.resolve(new Response(body, { status })))).toEqual({
      problem: `The registry answered with status ${status}.`,
      isRefused,
    });
  });

  it("is not read beyond a megabyte, whatever its length is said to be", async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    expect(await faultOf(answering(endless))).toMatchObject({
      problem: "A page of the registry is larger than 1024 KiB.",
    });
    expect(sent).toBeLessThan(2_000_000);
  });

  it("is given up at the deadline, also in the middle of its body", async () => {
    expect(await faultOf((target, init) => Promise.resolve(silence(new Request(target, init))), 20)).toMatchObject({
      problem: "The registry did not answer within 0.02 seconds.",
    });
    const slow: Outbound = (_target, init) =>
      Promise.resolve(
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode('{"servers":['));
              init?.signal?.addEventListener("abort", () => controller.error(init.signal?.reason));
            },
          }),
        ),
      );
    expect(await faultOf(slow, 20)).toMatchObject({ problem: "The registry did not answer within 0.02 seconds." });
  });

  it.each<[string, Outbound, string]>([
    [
      "a redirect",
      guardedFetch([], answering("", { status: 302, headers: { location: "http://10.0.0.1/" } }) as typeof fetch),
      "redirect",
    ],
    [
      "a broken connection",
      () => Promise.reject(new TypeError("fetch failed: secret.internal")),
      "The registry could not be reached.",
    ],
    ["no resolver", () => Promise.reject(new ResolverUnavailable("x")), "The host name could not be resolved."],
  ])("is none after %s, in words that give nothing away", async (_what, outbound, words) => {
    const fault = await faultOf(outbound);
    expect(fault?.problem).toContain(words);
    expect(fault?.problem).not.toMatch(/secret|10\.0/);
  });
});
