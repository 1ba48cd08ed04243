import { Hono } from "hono";
import { describe, expect, it, expectTypeOf } from "vitest";
import * as z from "zod";
import { AppError } from "../../../src/platform/errors.ts";
import type { HttpEnv } from "../../../src/platform/http.ts";
import { honoPath, mountRoutes } from "../../../src/http/mount.ts";
import { problemResponse } from "../../../src/http/problem.ts";
import { answerWith, routesFor, type Route } from "../../../src/http/route.ts";

interface Deps {
  seen: unknown[];
}
interface Caller {
  name: string;
}

const route = routesFor<Deps, { principal: Caller; reader: never; publisher: never }>();

const put = route({
  method: "put",
  path: "/things/{id}/parts/{part}",
  id: "changePart",
  tag: "Servers",
  summary: "Change a part",
  who: { scopes: ["keys:write"] },
  in: {
    params: z.object({ id: z.string().min(3), part: z.coerce.number().int() }),
    query: z.strictObject({ dry: z.enum(["yes", "no"]).default("no"), reason: z.string().optional() }),
    body: z.object({ name: z.string().min(1), size: z.number().optional() }),
  },
  out: z.object({ done: z.literal(true) }),
  others: { 202: { schema: z.object({ done: z.literal(true) }), description: "Under way" } },
  handle: ({ deps, caller, input }) => {
    deps.seen.push({ caller: caller.name, ...input });
    return answerWith(202, { done: true });
  },
});

const SPEC = {
  method: "get",
  path: "/things/{id}/parts/{part}",
  id: "getPart",
  tag: "Servers",
  summary: "Read a part",
  who: "anyone",
  out: z.object({ caller: z.string() }),
} as const;

const get = route({ ...SPEC, handle: ({ caller }) => ({ caller: String(caller) }) });

/** Serves routes as the gateway does; the caller is named by a header and holds the scopes that another one lists. */
function serve(routes: readonly Route<Deps, Caller>[] = [put, get]) {
  const deps: Deps = { seen: [] };
  const app = new Hono<HttpEnv>();
  mountRoutes(app, routes, deps, async (c, _who, scopes) => {
    const name = c.req.header("x-caller");
    if (name === undefined) throw new AppError("unauthenticated", "Say who you are.");
    const held = (c.req.header("x-scopes") ?? "").split(" ");
    if (!scopes.every((scope) => held.includes(scope))) throw new AppError("insufficient_scope", "Not enough.");
    return { name };
  });
  app.onError((error) =>
    error instanceof AppError
      ? problemResponse(error.code, error.message, "req-1", error)
      : problemResponse("internal", "A mistake of ours.", "req-1"),
  );
  return { app, seen: deps.seen };
}

const AUTHORIZED = { "x-caller": "ann", "x-scopes": "keys:write", "content-type": "application/json" };
const PATH = "/things/abc/parts/7";

async function send(path: string, init: RequestInit, routes?: readonly Route<Deps, Caller>[]) {
  const { app, seen } = serve(routes);
  const answer = await app.request(`https://gateway.example.com${path}`, init);
  const text = await answer.text();
  const body = (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, body, seen };
}

const change = (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
  send(path, { method: "PUT", headers: { ...AUTHORIZED, ...headers }, body });

describe("a declared route", () => {
  it("hands on what its schemas made of the input, and answers uncached with the declared status", async () => {
    const { status, headers, body, seen } = await change(`${PATH}?reason=why`, '{"name":"bolt","other":1}');
    expect(status).toBe(202);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("content-type")).toBe("application/json");
    expect(body).toEqual({ done: true });
    expect(seen).toEqual([
      {
        caller: "ann",
        params: { id: "abc", part: 7 },
        query: { dry: "no", reason: "why" },
        body: { name: "bolt" },
      },
    ]);
  });

  it("for anyone is answered without asking who calls", async () => {
    const { status, body } = await send(PATH, { headers: { "x-caller": "ann" } });
    expect(status).toBe(200);
    expect(body).toEqual({ caller: "undefined" });
  });

  it.each([
    ["without a credential", { "content-type": "application/json" }, 401],
    ["without the scope", { ...AUTHORIZED, "x-scopes": "keys:read" }, 403],
    ["with half of the scope's name", { ...AUTHORIZED, "x-scopes": "keys" }, 403],
  ])("refuses a caller %s before it looks at the input", async (_what, headers, status) => {
    const answer = await send(PATH, { method: "PUT", headers, body: "not json" });
    expect(answer.status).toBe(status);
    expect(answer.seen).toEqual([]);
  });

  it("with several scopes needs all of them", async () => {
    const both: typeof put = { ...put, who: { scopes: ["keys:write", "admin"] } };
    const answer = await send(PATH, { method: "PUT", headers: AUTHORIZED, body: '{"name":"bolt"}' }, [both]);
    expect(answer.status).toBe(403);
  });

  it("for administrators needs the scope admin", async () => {
    const forAdministrators: typeof put = { ...put, who: "administrator" };
    const init = { method: "PUT", body: '{"name":"bolt"}' };
    const refused = await send(PATH, { ...init, headers: AUTHORIZED }, [forAdministrators]);
    expect([refused.status, refused.seen]).toEqual([403, []]);
    const answered = await send(PATH, { ...init, headers: { ...AUTHORIZED, "x-scopes": "admin" } }, [
      forAdministrators,
    ]);
    expect(answered.status).toBe(202);
  });

  it("refuses by its own rule before it asks who calls and before it reads anything", async () => {
    const closed: typeof put = {
      ...put,
      before: () => {
        throw new AppError("rate_limited", "Not now.");
      },
    };
    const { status, seen } = await send(PATH, { method: "PUT", body: "not json" }, [closed]);
    expect([status, seen]).toEqual([429, []]);
  });

  it("may answer with headers of its own, JSON as text, or no body", async () => {
    const answers = [
      answerWith(200, '{"caller":"kept"}', { etag: '"1"', "cache-control": "public" }),
      answerWith(200, null),
    ];
    const read = route({ ...SPEC, handle: () => answers.shift() ?? { caller: "" } });
    const { app } = serve([read]);
    const kept = await app.request(`https://gateway.example.com${PATH}`);
    expect([kept.headers.get("etag"), kept.headers.get("cache-control"), await kept.text()]).toEqual([
      '"1"',
      "public",
      '{"caller":"kept"}',
    ]);
    const empty = await app.request(`https://gateway.example.com${PATH}`);
    expect([empty.headers.get("content-type"), empty.headers.get("cache-control"), await empty.text()]).toEqual([
      null,
      "no-store",
      "",
    ]);
  });

  it("may take a body of its own size, of any media type, and check it itself", async () => {
    const read = route({
      ...SPEC,
      method: "post",
      bodyRules: { limitBytes: 10 },
      in: { json: z.unknown() },
      handle: ({ input: { json } }) => ({ caller: `${json.text} ${JSON.stringify(json.value)}` }),
    });
    const post = (body: string) =>
      send(PATH, { method: "POST", headers: { "content-type": "text/plain" }, body }, [read]);
    expect((await post("[1, 2]")).body).toEqual({ caller: "[1, 2] [1,2]" });
    expect((await post("[1, 2")).body).toEqual({ caller: " undefined" });
    expect((await post("[1, 2, 3, 4]")).status).toBe(413);
  });

  it("cannot be declared without saying who may use it", () => {
    type Declared = Parameters<typeof route>[0];
    expectTypeOf<Omit<Declared, "who">>().not.toExtend<Declared>();
    expectTypeOf<"everyone">().not.toExtend<Declared["who"]>();
  });

  it.each(["everyone", "nobody", "", null, undefined, {}])(
    "whose declaration of that slipped past the compiler is for nobody: %j",
    async (who) => {
      const broken = { ...get, who } as unknown as Route<Deps, Caller>;
      const { status, body } = await send(PATH, { headers: AUTHORIZED }, [broken]);
      expect(status).toBe(500);
      expect(body).not.toHaveProperty("caller");
    },
  );
});

describe("input that does not fit", () => {
  it("is a 400 that names every fault in every place", async () => {
    const { status, body, seen } = await change("/things/ab/parts/x?dry=maybe&force=1", '{"name":"","size":"big"}');
    expect(status).toBe(400);
    expect(body["code"]).toBe("invalid_request");
    expect(String(body["detail"]).split(/(?<=\.) /)).toEqual([
      '"dry" must be one of "yes", "no".',
      '"force" is not a query parameter of this address.',
      '"id" must have at least 3 characters.',
      '"part" must be a whole number.',
      '"name" must not be empty.',
      '"size" must be a number.',
    ]);
    expect(seen).toEqual([]);
  });

  it.each(["dry=yes&dry=no", "dry=no&dry=no", "reason=a&reason=b", "dry=yes&%64ry=no", "a=1&b=2&a=3"])(
    "is a query parameter given twice: ?%s",
    async (query) => {
      const { status, body, seen } = await change(`${PATH}?${query}`, '{"name":"bolt"}');
      expect(status).toBe(400);
      expect(body["detail"]).toBe("Send each query parameter only once.");
      expect(seen).toEqual([]);
    },
  );

  it.each(["dry[]=yes", "dry%00=yes", "__proto__=x", "constructor=x"])(
    "is an unknown query parameter: ?%s",
    async (query) => {
      const { status } = await change(`${PATH}?${query}`, '{"name":"bolt"}');
      expect(status).toBe(400);
    },
  );

  it.each(["", "{", "{'name':'bolt'}", '{"name":"bolt"} x', "\ufeff[", "undefined", '{"name":"bolt",}'])(
    "is a body that is not JSON: %j",
    async (text) => {
      const { status, body } = await change(PATH, text);
      expect(status).toBe(400);
      expect(body["detail"]).toBe("The body is not valid JSON.");
    },
  );

  it.each(["null", "[]", '"bolt"', "7", "{}"])("is JSON of another shape: %s", async (text) => {
    const { status, body } = await change(PATH, text);
    expect(status).toBe(400);
    expect(body["detail"]).toMatch(/^(The body must be an object|"name" is required)\.$/);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/json",
    "application/jsonx",
    "",
  ])("is a body of another type: %j", async (type) => {
    const { status, body } = await change(PATH, '{"name":"bolt"}', { "content-type": type });
    expect(status).toBe(415);
    expect(body["code"]).toBe("unsupported_media_type");
  });

  it.each(["application/json", "Application/JSON; charset=utf-8", "application/problem+json"])(
    "is not a body of type %s",
    async (type) => {
      expect((await change(PATH, '{"name":"bolt"}', { "content-type": type })).status).toBe(202);
    },
  );

  it("is a body of more than 262144 bytes", async () => {
    const frame = JSON.stringify({ name: "" }).length;
    const body = (size: number) => JSON.stringify({ name: "x".repeat(size - frame) });
    expect((await change(PATH, body(262_144))).status).toBe(202);
    const { status, body: problem } = await change(PATH, body(262_145));
    expect(status).toBe(413);
    expect(problem["code"]).toBe("too_large");
    const inTwoBytes = JSON.stringify({ name: "é".repeat(140_000) });
    expect((await change(PATH, inTwoBytes)).status).toBe(413);
  });

  it("changes no prototype", async () => {
    const { seen } = await change(PATH, '{"name":"bolt","__proto__":{"admin":true}}');
    expect(seen).toHaveLength(1);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(seen[0]).toHaveProperty("body", { name: "bolt" });
  });
});

describe("an unknown parameter", () => {
  const read = route({
    ...SPEC,
    in: { query: z.object({ a: z.string().optional() }) },
    handle: ({ input }) => ({ caller: input.query.a ?? "" }),
  });

  it.each([
    ["?b=1&b=2", 200],
    ["?a=1&b=1&b=2", 200],
    ["?a=1&a=1", 400],
  ])("may come twice where unknown ones pass, a known one may not: %s", async (query, status) => {
    expect((await send(`${PATH}${query}`, {}, [read])).status).toBe(status);
  });
});

describe("a known path", () => {
  it.each(["POST", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])("answers %s with the methods it has", async (method) => {
    const { status, headers, body } = await send(PATH, { method, headers: AUTHORIZED });
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe("PUT, GET");
    expect(body["detail"]).toBe("Use PUT or GET.");
  });

  it("answers HEAD as GET without a body", async () => {
    const { status, body } = await send(PATH, { method: "HEAD" });
    expect(status).toBe(200);
    expect(body).toEqual({});
  });

  it("is written for Hono with colons", () => {
    expect(honoPath("/things/{id}/parts/{part}")).toBe("/things/:id/parts/:part");
    expect(honoPath("/api/v1/openapi.json")).toBe("/api/v1/openapi.json");
  });
});
