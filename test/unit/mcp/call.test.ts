import { describe, expect, it } from "vitest";
import { auditedAs, settledAtEnd, type Call, type Outcome } from "../../../src/mcp/call.ts";

/** A call of which only the outcome matters here. */
function call(change: Partial<Call> = {}) {
  const finished = Promise.withResolvers<Outcome>();
  return { finished, ...change } as Call;
}

/** The outcome if it is settled by now, else undefined. */
const settled = ({ finished }: Call) => Promise.race([finished.promise, Promise.resolve(undefined)]);

const stream = (body: BodyInit | null, type = "text/event-stream") =>
  new Response(body, { headers: { "content-type": type } });

describe("the methods that are audited", () => {
  it.each([
    ["tools/call", "mcp.tools/call"],
    ["prompts/get", "mcp.prompts/get"],
    ["resources/read", "mcp.resources/read"],
    ["tools/list", undefined],
    ["initialize", undefined],
    ["Tools/Call", undefined],
    ["constructor", undefined],
    ["__proto__", undefined],
    ["", undefined],
  ])("%j as %j", (method, event) => {
    expect(auditedAs(method)).toBe(event);
  });
});

describe("the outcome of a call at the end of its answer", () => {
  it.each([
    [200, "rejected"],
    [202, "rejected"],
    [400, "http_400"],
    [406, "http_406"],
    [500, "http_500"],
  ])("is an error when the answer %i came without the work", async (status, code) => {
    const refused = call();
    const response = Response.json({ error: {} }, { status });
    expect(settledAtEnd(response, refused)).toBe(response);
    expect(await settled(refused)).toEqual({ outcome: "error", code });
  });

  it("is settled when there is no body at all", async () => {
    const refused = call();
    settledAtEnd(new Response(null, { status: 202, headers: { "content-type": "text/event-stream" } }), refused);
    expect(await settled(refused)).toEqual({ outcome: "error", code: "rejected" });
  });

  it("stays what the work said, however the answer ends", async () => {
    for (const response of [Response.json({}), stream("data: {}\n\n"), new Response(null, { status: 500 })]) {
      const done = call();
      done.finished.resolve({ outcome: "ok", code: null });
      await settledAtEnd(response, done).text();
      expect(await settled(done)).toEqual({ outcome: "ok", code: null });
    }
  });

  it("is open while the answer streams, and an error when it ends without the work", async () => {
    const streaming = call();
    const response = settledAtEnd(stream("data: 1\n\ndata: 2\n\n"), streaming);
    expect(await settled(streaming)).toBeUndefined();
    expect(await response.text()).toBe("data: 1\n\ndata: 2\n\n");
    expect(await settled(streaming)).toEqual({ outcome: "error", code: "rejected" });
  });

  it("is cancelled when the caller goes away while it streams, and the work is told", async () => {
    const cancelled = Promise.withResolvers<unknown>();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
      cancel: cancelled.resolve,
    });
    const streaming = call();
    const reader = settledAtEnd(stream(body), streaming).body?.getReader();
    await reader?.read();
    await reader?.cancel("gone");
    expect(await streaming.finished.promise).toEqual({ outcome: "error", code: "cancelled" });
    expect(await cancelled.promise).toBe("gone");
  });

  it("keeps status and headers of a stream", () => {
    const response = stream("data: {}\n\n", "text/event-stream; charset=utf-8");
    response.headers.set("x-kept", "1");
    const watched = settledAtEnd(response, call());
    expect(watched.status).toBe(200);
    expect(watched.headers.get("x-kept")).toBe("1");
    expect(watched.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  });

  it("K12: carries the status that the error demands", async () => {
    const response = Response.json({ error: { code: -32020 } }, { headers: { "x-kept": "1" } });
    const answer = settledAtEnd(response, call({ errorStatus: 400 }));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("x-kept")).toBe("1");
    expect(await answer.json()).toEqual({ error: { code: -32020 } });
  });
});
