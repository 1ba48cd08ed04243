import { beforeAll, describe, expect, it } from "vitest";
import { crc32, generateApiKey } from "../../../src/keys/token.ts";
import { settled } from "../../support/admission.ts";
import type { Send } from "../../support/browsing.ts";
import { callTool, newKey, request, resetStats, rpc, stats, type RpcAnswer } from "../../support/gateway.ts";
import { gatewayWith, newClient, newPerson, tokensFor } from "../../support/oauth.ts";

const random = () => crypto.getRandomValues(new Uint16Array(1))[0]?.toString(16) ?? "";
/** A /64 that no other test has used. */
const newNetwork = () => `2001:db8:${random()}:${random()}`;

const from = (address: string) => ({ "cf-connecting-ip": address });
const echo = (key: string, address: string) => callTool("echo", { text: "x" }, { key, headers: from(address) });
const guess = (address: string) => echo(generateApiKey("live"), address);

/** How often Postgres was asked for a key. */
const lookups = async () => (await stats()).log.filter(({ what }) => what.includes("select apikey")).length;

/** Makes an address guess until it is shut out. */
async function shutOut(address: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) if ((await guess(address)).status === 429) return;
  throw new Error("a hundred guesses, and still let in");
}

function expectShutOut({ status, error, response }: RpcAnswer): void {
  expect(status).toBe(429);
  expect(error).toMatchObject({ code: 429, data: { code: "rate_limited", tier: "address" } });
  const seconds = Number(response.headers.get("retry-after"));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(120);
  expect(error?.data?.["retryAfterSeconds"]).toBe(seconds);
  expect(response.headers.get("ratelimit")).toMatch(/^"address";r=0;t=\d+$/);
}

describe("guessing keys", () => {
  const ALLOWED = 30;
  const AT_ONCE = 10;

  it("J06: a thousand guesses from one address: after the first few 429, and Postgres is not asked any more", async () => {
    const address = `${newNetwork()}::1`;
    await resetStats();
    const statuses: number[] = [];
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let n = 0; n < 1_000 / AT_ONCE; n++) statuses.push((await guess(address)).status);
      }),
    );
    expect(statuses).toHaveLength(1_000);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(ALLOWED + AT_ONCE);
    expect(await lookups()).toBeLessThanOrEqual(ALLOWED + AT_ONCE);
    await resetStats();
    for (let n = 0; n < 20; n++) expectShutOut(await guess(address));
    expect(await lookups()).toBe(0);
  });

  it("J06: one after the other, an address has thirty", async () => {
    const address = `${newNetwork()}::1`;
    const statuses: number[] = [];
    for (let n = 0; n < ALLOWED + 5; n++) statuses.push((await guess(address)).status);
    const refused = statuses.indexOf(429);
    // While the thirty are used up, a few come back.
    expect(refused).toBeGreaterThanOrEqual(ALLOWED - 1);
    expect(statuses.slice(refused).every((status) => status === 429)).toBe(true);
  });

  it("M01: J06: the addresses of one /64 are one, in every spelling; the next /64 is another", async () => {
    const network = newNetwork();
    let n = 0;
    const next = () => `${network}:${(++n).toString(16)}:${n % 2 ? "abcd" : "ABCD"}::${n}`;
    for (let tries = 0; tries < ALLOWED + 5; tries++) await guess(next());
    expectShutOut(await guess(next()));
    expectShutOut(await guess(`${network}::`));
    expect((await guess(`${newNetwork()}::1`)).status).toBe(401);
  });

  it("J06: an IPv4 address and its mapped form are one", async () => {
    const [a, b] = crypto.getRandomValues(new Uint8Array(2));
    await shutOut(`198.18.${a}.${b}`);
    expectShutOut(await guess(`::ffff:198.18.${a}.${b}`));
  });

  it("J06: another address is not affected, and neither is a key that is known", async () => {
    const address = `${newNetwork()}::1`;
    const known = await newKey();
    expect((await echo(known.key, `${newNetwork()}::1`)).status).toBe(200);
    await shutOut(address);
    expect((await echo(known.key, address)).status).toBe(200);
    expect((await echo((await newKey()).key, `${newNetwork()}::1`)).status).toBe(200);
  });

  it("J06: from a shut-out address a key works that any isolate has asked for of late", async () => {
    const address = `${newNetwork()}::1`;
    const elsewhere = gatewayWith({});
    const { key } = await newKey();
    expect((await echo(key, `${newNetwork()}::1`)).status).toBe(200);
    await shutOut(address);
    const answer = await post(elsewhere, { "x-api-key": key, ...from(address) });
    expect(answer.status).toBe(200);
  });

  it("J06: nobody's key is locked by guesses that look like it", async () => {
    const { key } = await newKey();
    const address = `${newNetwork()}::1`;
    const start = key.slice(0, "mrg_test_".length + 4);
    for (let n = 0; n < ALLOWED + 5; n++)
      await echo(withChecksum(start + generateApiKey("test").slice(start.length, -6)), address);
    expectShutOut(await guess(address));
    expect((await echo(key, `${newNetwork()}::1`)).status).toBe(200);
  });

  it("J06: a key that exists and is refused is no guess: its holder is told so for as long as they ask", async () => {
    const { key } = await newKey({ enabled: false });
    const address = `${newNetwork()}::1`;
    for (let n = 0; n < ALLOWED + 5; n++) expect((await echo(key, address)).status).toBe(401);
  });

  it("J06: misses and refusals say the same, but for ids", async () => {
    const refused = async (key: string) => {
      const { error, response, status } = await echo(key, `${newNetwork()}::1`);
      const { requestId: _id, ...data } = error?.data ?? {};
      const challenge = response.headers.get("www-authenticate");
      return { status, code: error?.code, message: error?.message, data, challenge };
    };
    const unknown = await refused(generateApiKey("live"));
    expect(await refused((await newKey({ enabled: false })).key)).toEqual(unknown);
    expect(await refused("a-key-of-the-old-system-0123456789")).toEqual(unknown);
  });
});

/** A key with a checksum that is right. */
function withChecksum(body: string): string {
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let text = "";
  for (let value = crc32(body); text.length < 6; value = Math.floor(value / 62))
    text = digits.charAt(value % 62) + text;
  return body + text;
}

const post = (gateway: Send, headers: Record<string, string>, body?: string, path = "/mcp") =>
  gateway(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body:
      body ??
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "echo", arguments: { text: "x" } },
      }),
  });

describe("requests that come to nothing", () => {
  const gateway = gatewayWith({ LIMITS: JSON.stringify({ address: { perMinute: 1, burst: 5 } }) });
  const big = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"${"a".repeat(1_100_000)}"}}`;
  const jwt = `${btoa('{"alg":"ES256","typ":"at+jwt"}')}.${btoa("{}")}.AAAA`.replaceAll("=", "");

  beforeAll(async () => {
    // An isolate reads the keys that sign tokens once, as soon as there are any.
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    await post(gateway, { authorization: `Bearer ${token}` });
    await settled();
  });

  const floods: [
    what: string,
    headers: (key: string) => Record<string, string>,
    body?: string | undefined,
    path?: string,
  ][] = [
    ["no credential", () => ({})],
    ["a token that is none", () => ({ authorization: "Bearer abc" })],
    ["a token that nobody signed", () => ({ authorization: `Bearer ${jwt}` })],
    ["another scheme", () => ({ authorization: "Basic dXNlcjpwYXNz" })],
    ["two credentials", (key) => ({ authorization: "Bearer abc", "x-api-key": key })],
    ["a mistyped key", (key) => ({ "x-api-key": `${key.slice(0, -1)}!` })],
    ["a credential in the URL", (key) => ({ "x-api-key": key }), undefined, "/mcp?api_key=x"],
    ["a body that is too large", (key) => ({ "x-api-key": key }), big],
    ["a body that is no JSON", (key) => ({ "x-api-key": key }), "{"],
    ["no single message", (key) => ({ "x-api-key": key }), "[]"],
    ["a header that is too long", () => ({ authorization: `Bearer ${"a".repeat(9_000)}` })],
    ["a key that is too long", () => ({ "x-api-key": "a".repeat(20_000) })],
  ];

  it.each(floods)(
    "R10: with %s: a few from one address, then 429, and no request to any store",
    async (_what, headers, body, path) => {
      const { key } = await newKey();
      // The isolate reads the keys that sign tokens once.
      await post(gateway, { authorization: `Bearer ${jwt}`, ...from(`${newNetwork()}::1`) });
      const network = newNetwork();
      const send = (n: number) => post(gateway, { ...headers(key), ...from(`${network}::${n}`) }, body, path);
      await resetStats();
      const first = [await send(1), await send(2), await send(3), await send(4), await send(5)];
      for (const { status } of first) expect([400, 401, 413]).toContain(status);
      for (let n = 6; n < 16; n++) {
        const answer = await send(n);
        expect(answer.status).toBe(429);
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(await answer.json()).toMatchObject({ error: { data: { code: "rate_limited", tier: "address" } } });
      }
      expect(await stats()).toMatchObject({ redisRequests: 0, sqlRequests: 0 });
      const elsewhere = await post(gateway, { ...headers(key), ...from(`${newNetwork()}::1`) }, body, path);
      expect(elsewhere.status).toBe(first[0]?.status);
    },
  );

  it("R10: keep nobody out whom the isolate knows by a key", async () => {
    const address = `${newNetwork()}::1`;
    const { key } = await newKey();
    expect((await post(gateway, { "x-api-key": key, ...from(address) })).status).toBe(200);
    for (let n = 0; n < 8; n++) await post(gateway, from(address));
    expect((await post(gateway, from(address))).status).toBe(429);
    expect((await post(gateway, { "x-api-key": key, ...from(address) })).status).toBe(200);
  });

  it("R10: calls that are admitted are none of them, however many", async () => {
    const address = `${newNetwork()}::1`;
    const { key } = await newKey();
    for (let n = 0; n < 20; n++) expect((await post(gateway, { "x-api-key": key, ...from(address) })).status).toBe(200);
    expect((await post(gateway, from(address))).status).toBe(401);
  });

  it("R10: with good tokens, neither", async () => {
    const address = `${newNetwork()}::1`;
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    for (let n = 0; n < 20; n++) {
      const answer = await post(gateway, { authorization: `Bearer ${token}`, ...from(address) });
      expect(answer.status).toBe(200);
    }
  });

  it("R10: as shipped, an address has some hundreds of them in each isolate, and more with time", async () => {
    const address = `${newNetwork()}::1`;
    await resetStats();
    const statuses = await Promise.all(
      Array.from({ length: 700 }, () => request("/mcp", { method: "POST", headers: from(address) })),
    );
    const refused = statuses.filter(({ status }) => status === 429).length;
    expect(statuses.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(300);
    expect(refused).toBeGreaterThan(200);
    expect(await stats()).toMatchObject({ redisRequests: 0, sqlRequests: 0 });
  });
});

describe("what is read of a request", () => {
  it("K18: R10: a body over the limit is refused before anybody's limits are touched", async () => {
    const { key } = await newKey();
    expect((await echo(key, `${newNetwork()}::1`)).status).toBe(200);
    await resetStats();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { x: "a".repeat(1_100_000) } });
    expect((await rpc("", {}, { key, body })).status).toBe(413);
    expect((await stats()).log.filter(({ to }) => to === "upstash")).toEqual([]);
  });
});
