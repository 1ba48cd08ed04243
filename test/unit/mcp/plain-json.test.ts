import { describe, expect, it } from "vitest";
import { acceptsEvents, lastMessage, plainJson } from "../../../src/mcp/plain-json.ts";

describe("what a caller accepts", () => {
  it.each([
    ["application/json, text/event-stream", true],
    ["TEXT/EVENT-STREAM;q=0.5", true],
    ["*/*", false],
    ["application/json", false],
    ["text/event-streams", false],
    [null, false],
  ])("reads %j: events are wanted: %s", (accept, expected) => {
    expect(acceptsEvents(accept)).toBe(expected);
  });
});

describe("an event stream as one JSON answer", () => {
  it.each([
    ['event: message\ndata: {"id":1}\n\n', '{"id":1}'],
    ['data: {"progress":1}\n\ndata: {"id":1}\n\n: keep-alive\n\n', '{"id":1}'],
    ['data:{"a":\r\ndata: 1}\r\n\r\n', '{"a":\n1}'],
    [": nothing\n\n", undefined],
    ["", undefined],
  ])("takes the last message of %j", (stream, expected) => {
    expect(lastMessage(stream)).toBe(expected);
  });

  it("leaves other answers as they are", async () => {
    const answer = Response.json({ id: 1 }, { status: 400 });
    expect(await plainJson(answer)).toBe(answer);
  });

  it("keeps status and headers", async () => {
    const stream = new Response('data: {"id":1}\n\n', {
      status: 200,
      headers: { "content-type": "text/event-stream", "x-accel-buffering": "no", "x-request-id": "r" },
    });
    const answer = await plainJson(stream);
    expect(await answer.json()).toEqual({ id: 1 });
    expect(Object.fromEntries(answer.headers)).toEqual({ "content-type": "application/json", "x-request-id": "r" });
  });
});
