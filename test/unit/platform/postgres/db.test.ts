import { neon, neonConfig } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { afterEach, describe, expect, it, vi } from "vitest";
import { askPostgres } from "../../../../src/platform/postgres/db.ts";
import { isUnavailable } from "../../../../src/platform/errors.ts";

type Answer = () => Promise<Response>;

const json =
  (body: unknown, status = 200): Answer =>
  () =>
    Promise.resolve(Response.json(body, { status }));
const text =
  (body: string, status = 200): Answer =>
  () =>
    Promise.resolve(new Response(body, { status }));
const sqlError = (code: string | null, message = "refused") => json({ message, code }, 400);

/** An answer that stops half-way. */
const cutOff: Answer = () =>
  Promise.resolve(
    new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode('{"rows": ['));
          controller.error(new Error("Network connection lost."));
        },
      }),
    ),
  );

/** What Drizzle throws over Neon's driver when Postgres answers like this; undefined when it answers with rows. */
async function thrownBy(answer: Answer, statements: "one" | "batch" = "one"): Promise<unknown> {
  neonConfig.fetchFunction = (url: string, init: RequestInit) => askPostgres(url, init, answer);
  const db = drizzle(neon("postgresql://user:secret@db.example.com/main"));
  const statement = db.execute(sql`select 1`);
  try {
    await (statements === "one" ? statement : db.batch([statement]));
    return undefined;
  } catch (error) {
    return error;
  }
}

afterEach(() => {
  vi.useRealTimers();
});

const ROWS = { fields: [], rows: [], command: "SELECT", rowCount: 0 };

describe("a statement over Neon's HTTP driver", () => {
  it.each<[string, Answer]>([
    ["no connection", () => Promise.reject(new TypeError("fetch failed"))],
    ["an answer that stops half-way", cutOff],
    ["an error of the proxy", text("upstream connect error", 503)],
    ["a limit of the proxy", text("slow down", 429)],
    ["an answer that is not JSON", text("<html></html>")],
    ["an error that is not JSON", text("<html></html>", 400)],
    ["JSON that is no result", json({ hello: 1 })],
    ["JSON that is no object", json(7)],
    ["an error without a state: the proxy's", sqlError(null)],
    ["a lost connection (08006)", sqlError("08006")],
    ["too many connections (53300)", sqlError("53300")],
    ["a shutdown (57P01)", sqlError("57P01")],
    ["a cancelled statement (57014)", sqlError("57014")],
    ["a serialization failure (40001)", sqlError("40001")],
  ])("finds Postgres unavailable by %s", async (_what, answer) => {
    expect(isUnavailable(await thrownBy(answer))).toBe(true);
    expect(isUnavailable(await thrownBy(answer, "batch"))).toBe(true);
  });

  it("finds Postgres unavailable when it does not answer within five seconds", async () => {
    vi.useFakeTimers();
    const never = (_url: unknown, init?: RequestInit) =>
      new Promise<Response>((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      });
    const asked = askPostgres("https://db.example.com/sql", { method: "POST" }, never).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(5_000);
    const error = await asked;
    expect(isUnavailable(error)).toBe(true);
    expect(error).toMatchObject({ cause: { name: "DeadlineExceeded" } });
  });

  it.each(["23505", "42601", "42P01", "42501", "22P02"])(
    "throws an error of the statement itself: %s",
    async (code) => {
      const error = await thrownBy(sqlError(code));
      expect(isUnavailable(error)).toBe(false);
      expect(error).toMatchObject({ cause: { name: "NeonDbError", code } });
    },
  );

  it("answers with rows", async () => {
    expect(await thrownBy(json(ROWS))).toBeUndefined();
    expect(await thrownBy(json({ results: [ROWS] }), "batch")).toBeUndefined();
  });

  it("keeps what it was asked out of what it throws", async () => {
    const error = await askPostgres("https://db.example.com/sql", { body: "select 's3cret'" }, text("x", 500)).catch(
      String,
    );
    expect(error).toBe("Unavailable: Postgres did not answer: status 500.");
  });
});
