import { describe, expect, it } from "vitest";
import { jsonRoutes } from "../../../src/app.ts";
import { KEY_SCOPES, type Scope } from "../../../src/identity/scopes.ts";
import { scopesOf } from "../../../src/http/mount.ts";
import type { Declaration } from "../../../src/http/route.ts";
import { addUpstream, newKey, request, upstreams } from "../../support/gateway.ts";
import { newAdministrator } from "../../support/managed-clients.ts";

type Actor =
  | "nobody"
  | "bad key"
  | "key without the scope"
  | "key with the scope"
  | "key of another tenant"
  | "administrator's key";

type Answered = number | "let in";

/** What each actor gets, by who may use a route. A new route is covered by its declaration. */
const EXPECTED: Record<"anyone" | "scoped" | "admin" | "optional" | "view", Record<Actor, Answered>> = {
  anyone: {
    nobody: "let in",
    "bad key": "let in",
    "key without the scope": "let in",
    "key with the scope": "let in",
    "key of another tenant": "let in",
    "administrator's key": "let in",
  },
  scoped: {
    nobody: 401,
    "bad key": 401,
    "key without the scope": 403,
    "key with the scope": "let in",
    "key of another tenant": "let in",
    "administrator's key": "let in",
  },
  admin: {
    nobody: 401,
    "bad key": 401,
    "key without the scope": 403,
    "key with the scope": 403,
    "key of another tenant": 403,
    "administrator's key": "let in",
  },
  optional: {
    nobody: "let in",
    "bad key": 401,
    "key without the scope": 403,
    "key with the scope": "let in",
    "key of another tenant": "let in",
    "administrator's key": "let in",
  },
  // The secret in the address is what counts, and there is no view of this one.
  view: {
    nobody: 404,
    "bad key": 404,
    "key without the scope": 404,
    "key with the scope": 404,
    "key of another tenant": 404,
    "administrator's key": 404,
  },
};

function rowOf({ who }: Declaration): [Actor, Answered][] {
  const row = EXPECTED[kindOf(who)];
  return Object.entries(row).map(([actor, answered]) => [actor as Actor, answered]);
}

function kindOf(who: Declaration["who"]): keyof typeof EXPECTED {
  if (who === "administrator") return "admin";
  if (typeof who === "string") return who;
  return "optional" in who ? "optional" : "scoped";
}

/** Whether a route has nothing more to ask of who is let in. */
const wantsNothing = ({ in: { params, body, json }, refusals }: Declaration) =>
  params === undefined && body === undefined && json === undefined && refusals.length === 0;

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
  for (const declared of jsonRoutes) {
    const { method, path, who } = declared;
    it.each(rowOf(declared))(`O01: ${method} ${path} answers %s with %s`, async (actor, expected) => {
      const answer = await request(path, { method, headers: await headersOf(actor, scopesOf(who)) });
      if (expected === "let in" && wantsNothing(declared)) expect(answer.status).toBe(200);
      if (answer.status < 400) {
        expect(expected).toBe("let in");
        return;
      }
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      const { code } = await answer.json<{ code: string }>();
      if (expected === "let in") {
        expect(["unauthenticated", "invalid_credential", "insufficient_scope"]).not.toContain(code);
        return;
      }
      expect(answer.status).toBe(expected);
      if (code !== "forbidden" && expected !== 404) expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    });
  }
});

describe("the management API", () => {
  it("describes every route in OpenAPI", async () => {
    const document = await (
      await request("/api/v1/openapi.json")
    ).json<{ openapi: string; paths: Record<string, object> }>();
    expect(document.openapi).toBe("3.1.0");
    for (const { method, path } of jsonRoutes) expect(document.paths[path]).toHaveProperty(method);
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

  it.each([
    ["limit=0", '"limit" must be a whole number between 1 and 200.'],
    ["limit=201", '"limit" must be a whole number between 1 and 200.'],
    ["limit=x", '"limit" must be a whole number between 1 and 200.'],
    ["cursor=abc", '"cursor" must be the nextCursor of the previous page.'],
    ["tenant=other", '"tenant" is not a query parameter of this address.'],
    ["limit=5&limit=6", "Send each query parameter only once."],
  ])("O03: refuses the query %s and says what is wrong with it", async (query, detail) => {
    const { key } = await newKey();
    const answer = await request(`/api/v1/audit?${query}`, { headers: { "x-api-key": key } });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "invalid_request", detail });
  });
});
