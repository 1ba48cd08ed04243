import { describe, expect, it } from "vitest";
import { routes } from "../../src/api/api.ts";
import { KEY_SCOPES, type Scope } from "../../src/auth/scopes.ts";
import { addUpstream, newKey, request, upstreams } from "../support/gateway.ts";
import { newAdministrator } from "../support/managed-clients.ts";

type Actor =
  | "nobody"
  | "bad key"
  | "key without the scope"
  | "key with the scope"
  | "key of another tenant"
  | "administrator's key";

/** What each actor gets at a route for anyone, one that needs scopes, and one for administrators. A new route is covered by its declaration. */
const EXPECTED: Record<"anyone" | "scoped" | "admin", Record<Actor, number | "let in">> = {
  anyone: {
    nobody: 200,
    "bad key": 200,
    "key without the scope": 200,
    "key with the scope": 200,
    "key of another tenant": 200,
    "administrator's key": 200,
  },
  scoped: {
    nobody: 401,
    "bad key": 401,
    "key without the scope": 403,
    "key with the scope": 200,
    "key of another tenant": 200,
    "administrator's key": 200,
  },
  admin: {
    nobody: 401,
    "bad key": 401,
    "key without the scope": 403,
    "key with the scope": 403,
    "key of another tenant": 403,
    "administrator's key": "let in",
  },
};

/** Who may use a route that wants input is let in, and then refused for want of it. */
function rowOf({ who, in: { params, body } }: (typeof routes)[number]): [Actor, number | "let in"][] {
  const row = who === "anyone" ? EXPECTED.anyone : who.scopes.includes("admin") ? EXPECTED.admin : EXPECTED.scoped;
  const wantsInput = params !== undefined || body !== undefined;
  return Object.entries(row).map(([actor, status]) => [
    actor as Actor,
    wantsInput && status === 200 ? "let in" : status,
  ]);
}

async function headersOf(actor: Actor, scopes: readonly string[]): Promise<Record<string, string>> {
  const others = KEY_SCOPES.filter((scope) => !scopes.includes(scope));
  switch (actor) {
    case "nobody":
      return {};
    case "bad key":
      return { "x-api-key": "mrg_live_bad" };
    case "key without the scope":
      return { "x-api-key": (await newKey({ scopes: others })).key };
    case "key with the scope":
    case "key of another tenant":
      return { "x-api-key": (await newKey({ scopes: scopes as Scope[] })).key };
    case "administrator's key": {
      const { id } = await newAdministrator();
      return { "x-api-key": (await newKey({ userId: id, scopes: scopes as Scope[] })).key };
    }
    default:
      return actor satisfies never;
  }
}

describe("the authorization matrix", () => {
  for (const declared of routes) {
    const { method, path, who } = declared;
    it.each(rowOf(declared))(`O01: ${method} ${path} answers %s with %s`, async (actor, status) => {
      const answer = await request(path, {
        method,
        headers: await headersOf(actor, who === "anyone" ? [] : who.scopes),
      });
      if (status === "let in") {
        expect([200, 400, 404, 415]).toContain(answer.status);
        return;
      }
      expect(answer.status).toBe(status);
      if (status >= 400) {
        expect(answer.headers.get("content-type")).toBe("application/problem+json");
        const { code } = await answer.json<{ code: string }>();
        if (code !== "forbidden") expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
      }
    });
  }
});

describe("the management API", () => {
  it("describes every route in OpenAPI", async () => {
    const document = await (
      await request("/api/v1/openapi.json")
    ).json<{ openapi: string; paths: Record<string, object> }>();
    expect(document.openapi).toBe("3.1.0");
    for (const { method, path } of routes) expect(document.paths[path]).toHaveProperty(method);
  });

  it("N06: lists the servers of the caller's tenant only, without their addresses", async () => {
    const mine = await newKey();
    const other = await newKey();
    await addUpstream(`personal-${mine.userId}`, "tools", upstreams.everything);
    const answer = await request("/api/v1/servers", { headers: { "x-api-key": mine.key } });
    const text = await answer.text();
    expect(JSON.parse(text)).toEqual({
      servers: [
        { slug: "tools", name: "tools", description: "", enabled: true, mcpUrl: "http://localhost:8787/mcp/tools" },
      ],
    });
    expect(text).not.toContain(upstreams.everything);
    const theirs = await request("/api/v1/servers", { headers: { "x-api-key": other.key } });
    expect(await theirs.json()).toEqual({ servers: [] });
  });

  it.each(["limit=0", "limit=201", "limit=x", "cursor=abc", "tenant=other", "limit=5&limit=6"])(
    "O03: refuses the query %s and says what is wrong with it",
    async (query) => {
      const { key } = await newKey();
      const answer = await request(`/api/v1/audit?${query}`, { headers: { "x-api-key": key } });
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ code: "invalid_request", detail: expect.stringMatching(/query/) });
    },
  );
});
