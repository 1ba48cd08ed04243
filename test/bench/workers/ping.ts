// `echo` after one round trip to Redis by a plain request: the least that anything with shared state costs.
import { echo } from "./echo.ts";

interface Settings {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
}

export default {
  async fetch(request: Request, settings: Settings): Promise<Response> {
    const answer = await fetch(settings.UPSTASH_REDIS_REST_URL, {
      method: "POST",
      headers: { authorization: `Bearer ${settings.UPSTASH_REDIS_REST_TOKEN}` },
      body: '["PING"]',
    });
    const { result } = await answer.json<{ result?: string }>();
    return result === "PONG" ? echo.fetch(request) : new Response(null, { status: 503 });
  },
};
