import { once } from "node:events";
import type { Socket } from "node:net";
import {
  createRedisCommandExecutor,
  RedisServerState,
  resolveCompatibilityProfile,
  Resp2Server,
} from "js-redis-server/core";

/**
 * Starts an in-memory Redis (RESP over TCP) on a free port of 127.0.0.1, in this process. `stop` drops its connections
 * and its data. Assembled from the package's parts because its ready-made server listens on every interface.
 */
export async function startEmbeddedRedis(): Promise<{ url: string; stop(): Promise<void> }> {
  const compatibility = resolveCompatibilityProfile();
  const redis = new Resp2Server({
    server: new RedisServerState({ databaseCount: 16, compatibility }),
    executor: createRedisCommandExecutor({ compatibility }),
  });
  const sockets = new Set<Socket>();
  redis.server.on("connection", (socket) => {
    sockets.add(socket);
    // Answers to a pipeline are written one by one: without this each but the first waits for the client's delayed
    // acknowledgement.
    socket.setNoDelay();
    socket.once("close", () => sockets.delete(socket));
  });
  redis.server.listen(0, "127.0.0.1");
  await once(redis.server, "listening");
  return {
    url: `redis://127.0.0.1:${redis.getPort()}`,
    async stop() {
      const closed = redis.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
