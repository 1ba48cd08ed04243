import type { ServerResponse } from "node:http";
import { Redis } from "ioredis";

/** What a client listens to: channels by name, or by pattern. */
export interface Subscription {
  kind: "subscribe" | "psubscribe";
  names: string[];
}

/**
 * Subscribes on a connection of its own and returns what streams the messages as server-sent events, in Upstash's form:
 * `data: subscribe,{channel},{count}`, then `data: message,{channel},{payload}`; for patterns `psubscribe` and
 * `pmessage,{pattern},{channel},{payload}`. The connection ends with the response. Rejects when Redis does.
 */
export async function subscribe(
  redisUrl: string,
  keyPrefix: string,
  { kind, names }: Subscription,
): Promise<(response: ServerResponse) => void> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on("error", () => {}); // `connect` and the subscription reject; later, "end" ends the stream.
  const events: string[] = [];
  let emit = (event: string): void => void events.push(event);
  const strip = (name: string) => name.slice(keyPrefix.length);
  redis.on("message", (channel: string, payload: string) => emit(`message,${strip(channel)},${payload}`));
  redis.on("pmessage", (pattern: string, channel: string, payload: string) =>
    emit(`pmessage,${strip(pattern)},${strip(channel)},${payload}`),
  );
  try {
    await redis.connect();
    for (const [index, name] of names.entries()) {
      await redis[kind](keyPrefix + name);
      emit(`${kind},${name},${index + 1}`);
    }
  } catch (error) {
    redis.disconnect();
    throw error;
  }

  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    emit = (event) => void response.write(`data: ${event.replaceAll(/\r?\n/g, "\ndata: ")}\n\n`);
    for (const event of events) emit(event);
    if (response.closed) redis.disconnect();
    response.once("close", () => redis.disconnect());
    redis.once("end", () => response.end());
  };
}
