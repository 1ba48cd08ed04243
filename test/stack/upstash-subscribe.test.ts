import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis({ url: server.endpoint, token: TOKEN, enableTelemetry: false, retry: false });
});
afterAll(() => server.stop());

/** The next thing that `on(type, …)` of a subscriber reports. */
function next(
  subscriber: ReturnType<Redis["subscribe"]>,
  type: "message" | "pmessage" | "subscribe" | "psubscribe",
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    subscriber.on(type as "message", resolve);
    subscriber.on("error", reject);
  });
}

describe("subscriptions", () => {
  it("of @upstash/redis get what is published through REST", async () => {
    const subscriber = redis.subscribe("chat");
    expect(await next(subscriber, "subscribe")).toBe(1);
    const message = next(subscriber, "message");
    expect(await redis.publish("other", "unheard")).toBe(0);
    expect(await redis.publish("chat", { text: "a,b\nc é" })).toBe(1);
    expect(await message).toEqual({ channel: "chat", message: { text: "a,b\nc é" } });
    await subscriber.unsubscribe();
  });

  it("by pattern say which channel it was", async () => {
    const subscriber = redis.psubscribe("room:*");
    await next(subscriber, "psubscribe");
    const message = next(subscriber, "pmessage");
    await redis.publish("room:7", { n: 1 });
    expect(await message).toEqual({ pattern: "room:*", channel: "room:7", message: { n: 1 } });
    await subscriber.unsubscribe();
  });

  it("hear what a script publishes", async () => {
    const subscriber = redis.subscribe("scripted");
    await next(subscriber, "subscribe");
    const message = next(subscriber, "message");
    const source = "#!lua flags=allow-key-locking\nreturn redis.call('PUBLISH', 'scripted', ARGV[1])";
    expect(await redis.eval(source, [], ["hello"])).toBe(1);
    expect(await message).toEqual({ channel: "scripted", message: "hello" });
    await subscriber.unsubscribe();
  });

  it("are server-sent events, one line each, as documented", async () => {
    const cancel = new AbortController();
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream" };
    const response = await fetch(`${server.endpoint}/subscribe/lines`, { headers, signal: cancel.signal });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    await fetch(`${server.endpoint}/publish/lines/how%20are%20you%20today%3F`, { method: "POST", headers });
    let text = "";
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes("today")) break;
    }
    cancel.abort();
    expect(text).toBe("data: subscribe,lines,1\n\ndata: message,lines,how are you today?\n\n");
  });

  it("end with the connection of the subscriber", async () => {
    const cancel = new AbortController();
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream" };
    await fetch(`${server.endpoint}/subscribe/left`, { headers, signal: cancel.signal });
    expect(await redis.publish("left", 1)).toBe(1);
    cancel.abort();
    while ((await redis.publish("left", 1)) > 0);
  });

  it("end when the endpoint stops, without delaying it", async () => {
    const other = await startRedisServer();
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream" };
    const response = await fetch(`${other.endpoint}/subscribe/chat`, { headers });
    const rest = response.text().catch((error: Error) => error.message);
    await other.stop();
    expect(await rest).toBe("terminated");
  });
});
