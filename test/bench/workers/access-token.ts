// A JWT verified by keys that are at hand, then three limits: no database, no immediate revocation, no audit.
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from "jose";
import { echo, refused } from "./echo.ts";
import { limits, type RedisSettings, type WithinLimits } from "./limits.ts";

interface Settings extends RedisSettings {
  BASE_URL: string;
  JWKS: string;
}

let made: { keys: ReturnType<typeof createLocalJWKSet>; withinLimits: WithinLimits } | undefined;

export default {
  async fetch(request: Request, settings: Settings): Promise<Response> {
    made ??= {
      keys: createLocalJWKSet(JSON.parse(settings.JWKS) as JSONWebKeySet),
      withinLimits: limits(settings),
    };
    const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
    const expected = { issuer: settings.BASE_URL, audience: `${settings.BASE_URL}/mcp`, typ: "at+jwt" };
    const verified = await jwtVerify(token, made.keys, expected).catch(() => undefined);
    if (!verified) return refused(401);
    const { grant, sub, tenant } = verified.payload as Record<"grant" | "sub" | "tenant", string>;
    const caller = { credential: grant, user: sub, tenant };
    return (await made.withinLimits(caller)) ? echo.fetch(request) : refused(429);
  },
};
