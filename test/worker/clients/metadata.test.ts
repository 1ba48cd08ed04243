import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { entriesAbout } from "../../support/audit-entries.ts";
import { formBrowser, leftFor, pageOf } from "../../support/browsing.ts";
import { callTool, db, withFault } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  gatewayWith,
  json,
  newClient,
  newPerson,
  redeem,
  REDIRECT,
  refresh,
  signInAt,
} from "../../support/oauth.ts";
import { outside, type Host, type Outside } from "../../support/outside.ts";

/** A host of its own for each test: origins have budgets. */
const newId = (host = `${crypto.randomUUID()}.example.net`) => `https://${host}/clients/${crypto.randomUUID()}.json`;
const documentOf = (id: string, fields: Record<string, unknown> = {}) => ({
  client_id: id,
  client_name: "Example app",
  redirect_uris: [REDIRECT],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
  ...fields,
});
const serving =
  (document: unknown, headers: Record<string, string> = {}): Host =>
  () =>
    Response.json(document, { headers });

/** Where the browser lands when it opens an authorization request of a client. */
async function opened(id: string, settings = {}) {
  const gateway = gatewayWith(settings);
  return formBrowser(gateway).open(authorizePath(id));
}

async function expectInvalidClient(id: string): Promise<void> {
  const visit = await opened(id);
  const page = pageOf(visit);
  expect([page.url.pathname, page.url.searchParams.get("error")]).toEqual(["/error", "invalid_client"]);
}

async function rowsOf(id: string): Promise<Record<string, unknown>[]> {
  const { rows } = await db.execute(sql`select redirect_uris, name from oauth_client where client_id = ${id}`);
  return rows;
}

describe("a client whose id is the address of its metadata document", () => {
  it("R21: is read from there, shown with its host, allowed, and gets tokens that work and can be refreshed", async () => {
    const id = newId();
    await outside({ "*": serving(documentOf(id)) }, async ({ asked }) => {
      const [gateway, person] = [gatewayWith({}), await newPerson()];
      const browser = formBrowser(gateway);
      const login = await browser.open(authorizePath(id));
      const consent = pageOf(await signInAt(browser, login, person));
      expect(consent.html).toContain(new URL(id).host);
      expect(consent.html).toContain("Example app");
      const back = leftFor(await browser.submit(consent, "/consent", { decision: "allow" }));
      const tokens = await json(await redeem(id, back.searchParams.get("code") ?? "", {}, gateway));
      const renewed = await json(await refresh(id, String(tokens["refresh_token"]), {}, gateway));
      const { status } = await callTool("whoami", {}, { token: String(renewed["access_token"]) });
      expect(status).toBe(200);
      expect(asked).toEqual([id]);
      const entries = await entriesAbout(id, 2);
      expect(entries.map(({ event, user_id: user }) => [event, user])).toEqual([
        ["client.discovered", null],
        ["consent.given", person.id],
      ]);
    });
  });

  it("takes loopback redirects on any port, as native apps have them", async () => {
    const id = newId();
    const document = documentOf(id, { redirect_uris: ["http://127.0.0.1/callback", "http://localhost:3118/callback"] });
    await outside({ "*": serving(document) }, async () => {
      const browser = formBrowser(gatewayWith({}));
      const path = authorizePath(id, { redirect_uri: "http://127.0.0.1:49152/callback" });
      expect((await authorize(browser, path, await newPerson())).host).toBe("127.0.0.1:49152");
    });
  });

  it.each([
    ["names another client", (id: string) => documentOf(`${id}x`)],
    ["has no name", (id: string) => documentOf(id, { client_name: undefined })],
    ["has no redirect URI", (id: string) => documentOf(id, { redirect_uris: undefined })],
    ["has a secret", (id: string) => documentOf(id, { client_secret: "x" })],
    ["wants a shared secret", (id: string) => documentOf(id, { token_endpoint_auth_method: "client_secret_basic" })],
    ["has a dangerous redirect URI", (id: string) => documentOf(id, { redirect_uris: ["javascript:alert(1)"] })],
    [
      "redirects to a host in the clear",
      (id: string) => documentOf(id, { redirect_uris: ["http://app.example.net/"] }),
    ],
    ["is a list", () => []],
  ])("is invalid_client when its document %s", async (_what, document) => {
    const id = newId();
    await outside({ "*": serving(document(id)) }, async () => {
      await expectInvalidClient(id);
      expect(await rowsOf(id)).toEqual([]);
    });
  });

  it.each<[string, Host]>([
    ["E05: redirects", () => new Response(null, { status: 302, headers: { location: "https://other.example.net/" } })],
    ["E05: redirects to an address inside", () => Response.redirect("http://169.254.169.254/latest/", 307)],
    ["E06: is larger than five kilobytes", serving({ padding: "x".repeat(6_000) })],
    ["E06: is said to be larger", () => new Response("{}", { headers: { "content-length": "9999999" } })],
    ["is no JSON", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["is missing", () => new Response("{}", { status: 404, headers: { "content-type": "application/json" } })],
    ["cannot be had", () => Promise.reject(new TypeError("fetch failed"))],
  ])("is invalid_client when its document %s", async (_what, host) => {
    const id = newId();
    await outside({ "*": host }, async () => {
      await expectInvalidClient(id);
      const answer = await redeem(id, "a".repeat(32), {}, gatewayWith({}));
      expect(await json(answer)).toMatchObject({ error: expect.stringMatching(/invalid_client|invalid_grant/) });
    });
  });

  it("E06: is not waited for longer than five seconds, however slowly its document drips", async () => {
    const id = newId();
    const drip: Host = ({ signal }) => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      signal.addEventListener("abort", () => void writer.abort(new Error("aborted")).catch(() => undefined));
      void writer.write(new TextEncoder().encode("{")).catch(() => undefined);
      return new Response(readable, { headers: { "content-type": "application/json" } });
    };
    await outside({ "*": drip }, () => expectInvalidClient(id));
  });

  const PLACES = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "2130706433",
    "0.0.0.0",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "192.0.2.1",
    "8.8.8.8",
    "[::]",
    "[::1]",
    "[fc00::1]",
    "[fd12::1]",
    "[fe80::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:10.0.0.1]",
    "[2002:7f00:1::]",
    "[64:ff9b::7f00:1]",
    "[2001:0:1::1]",
    "[2606:4700::1111]",
    "localhost",
    "app.localhost",
    "localhost.",
    "metadata.google.internal",
    "metadata.google.internal.",
    "metadata.goog",
    "gateway.internal",
    "printer.local",
    "nas.lan",
    "router.home",
    "intranet",
    "db.corp",
    "127.0.0.1.nip.io",
    "10.0.0.1.sslip.io",
  ];

  it("E02 E03: at no private, local or literal address is asked for", async () => {
    await outside({}, async ({ asked }) => {
      for (const place of PLACES) {
        await expectInvalidClient(`https://${place}/client.json`);
        await expectInvalidClient(`https://${place}:8443/client.json`);
      }
      expect(asked).toEqual([]);
    });
  });

  const ADDRESSES = [
    "10.1.2.3",
    "172.20.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "100.100.0.1",
    "192.0.2.5",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.251",
    "255.255.255.255",
    "::1",
    "::",
    "fc00::1",
    "fe80::1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "2002:7f00:1::",
    "64:ff9b::a00:1",
    "2001::1",
    "2001:db8::1",
    "ff02::1",
  ];

  it("E02: by a name that leads inside is not asked for, also when only one of its addresses does", async () => {
    const names = ADDRESSES.flatMap((address, index) => [
      [`only${index}.example.net`, [address]] as const,
      [`also${index}.example.net`, ["93.184.216.34", address]] as const,
    ]);
    await outside(
      {},
      async ({ asked }) => {
        for (const [name] of names) await expectInvalidClient(newId(name));
        await expectInvalidClient(newId("nothing.example.net"));
        expect(asked).toEqual([]);
      },
      { ...Object.fromEntries(names), "nothing.example.net": [] },
    );
  });

  it("is unavailable, not invalid, while the resolver fails", async () => {
    const id = newId();
    await outside(
      { "*": serving(documentOf(id)) },
      async () => {
        expect(pageOf(await opened(id)).status).toBe(503);
      },
      { [new URL(id).hostname]: null },
    );
  });

  it.each([
    "https://app.example.net",
    "https://app.example.net/a/../b.json",
    "https://app.example.net/a#b",
    "https://user:secret@app.example.net/client.json",
    "http://app.example.net/client.json",
    "https:/app.example.net/client.json",
  ])("has no id like %s", async (id) => {
    await outside({ "*": serving(documentOf(id)) }, async ({ asked }) => {
      await expectInvalidClient(id);
      expect(asked).toEqual([]);
    });
  });

  it("E08: is fetched once for a hundred requests at the same time", async () => {
    const id = newId();
    await outside({ "*": serving(documentOf(id)) }, async ({ asked }) => {
      const gateway = gatewayWith({});
      const answers = await Promise.all(Array.from({ length: 100 }, () => gateway(authorizePath(id))));
      const places = answers.map((answer) => new URL(answer.headers.get("location") ?? "x:", "http://x").pathname);
      expect(new Set(places)).toEqual(new Set(["/sign-in"]));
      expect(asked).toEqual([id]);
      expect(await rowsOf(id)).toHaveLength(1);
    });
  });

  it("E08: is no way to have an origin asked without end: thirty documents a minute, then the answer is to wait", async () => {
    const host = `${crypto.randomUUID()}.example.net`;
    await outside({}, async ({ asked }) => {
      const gateway = gatewayWith({});
      for (let i = 0; i < 40; i++) await gateway(authorizePath(newId(host)));
      expect(asked.filter((url) => url.includes(host))).toHaveLength(30);
      expect((await gateway(authorizePath(newId(host)))).status).toBe(503);
    });
  });

  it("is not fetched again while it is fresh, and then once; a bad document is not kept", async () => {
    const id = newId();
    let document: unknown = { broken: true };
    const counted = async (count: number, { asked }: Outside) => {
      await opened(id);
      await opened(id);
      expect(asked).toHaveLength(count);
    };
    await outside(
      { "*": () => Response.json(document, { headers: { "cache-control": "max-age=600" } }) },
      async (seen) => {
        await expectInvalidClient(id);
        document = documentOf(id);
        await forget(id);
        await counted(2, seen);
        await forget(id);
        await counted(3, seen);
      },
    );
  });

  it("E09: asks for consent again once its document names another redirect URI, and the old one is gone", async () => {
    const id = newId();
    const elsewhere = "https://client.example.com/elsewhere";
    let uris = [REDIRECT];
    await outside({ "*": () => Response.json(documentOf(id, { redirect_uris: uris })) }, async () => {
      const person = await newPerson();
      const browser = formBrowser(gatewayWith({}));
      await authorize(browser, authorizePath(id), person);
      expect("leftFor" in (await browser.open(authorizePath(id)))).toBe(true);
      uris = [elsewhere];
      await forget(id);
      const again = formBrowser(gatewayWith({}));
      for (const [name, value] of browser.cookies) again.cookies.set(name, value);
      expect(pageOf(await again.open(authorizePath(id, { redirect_uri: elsewhere }))).url.pathname).toBe("/consent");
      expect(pageOf(await again.open(authorizePath(id))).url.pathname).toBe("/error");
    });
  });

  it("lives on from its last good document for a week while its origin fails, and no longer", async () => {
    const id = newId();
    let host: Host = serving(documentOf(id));
    await outside({ "*": (request) => host(request) }, async () => {
      await opened(id);
      host = () => new Response("down", { status: 503 });
      await forget(id);
      expect(pageOf(await opened(id)).url.pathname).toBe("/sign-in");
      await forget(id);
      await db.execute(sql`update oauth_client set updated_at = now() - interval '8 days' where client_id = ${id}`);
      await expectInvalidClient(id);
    });
  });

  it("E10: never takes over a client of another origin with the same id", async () => {
    const id = newId();
    const registered = await newClient();
    await db.execute(sql`update oauth_client set client_id = ${id} where client_id = ${registered}`);
    await outside({ "*": serving(documentOf(id, { client_name: "Taken over" })) }, async ({ asked }) => {
      await opened(id);
      expect(asked).toEqual([]);
      expect(await rowsOf(id)).toEqual([expect.objectContaining({ name: "Test client" })]);
    });
  });

  it("obeys CLIENT_REGISTRATION: off serves and announces none, hosts only the named ones", async () => {
    const id = newId();
    await outside({ "*": serving(documentOf(id)) }, async ({ asked }) => {
      expect(pageOf(await opened(id, { CLIENT_REGISTRATION: "off" })).url.pathname).toBe("/error");
      expect(pageOf(await opened(id, { CLIENT_REGISTRATION: "hosts:other.example.net" })).url.pathname).toBe("/error");
      expect(asked).toEqual([]);
      expect(pageOf(await opened(id, { CLIENT_REGISTRATION: `hosts:${new URL(id).host}` })).url.pathname).toBe(
        "/sign-in",
      );
    });
    const announced = async (settings: Record<string, string>) =>
      (await json(await gatewayWith(settings)("/.well-known/oauth-authorization-server")))[
        "client_id_metadata_document_supported"
      ];
    expect(await announced({})).toBe(true);
    expect(await announced({ CLIENT_REGISTRATION: "off" })).toBeUndefined();
  });

  it("fails closed while Redis does not answer", async () => {
    const id = newId();
    await outside({ "*": serving(documentOf(id)) }, async ({ asked }) => {
      await withFault({ upstash: { mode: "down" } }, async () => {
        expect(pageOf(await opened(id)).status).toBe(503);
      });
      expect(asked).toEqual([]);
    });
  });
});

/** As if the time for which the document is fresh had passed. */
async function forget(id: string): Promise<void> {
  const { connectRedis, redisKeys } = await import("../../../src/platform/redis/redis.ts");
  const { sha256 } = await import("../../../src/platform/crypto.ts");
  const { config } = await import("../../support/gateway.ts");
  await connectRedis(config).del(redisKeys.metadata(await sha256(id)));
}
