import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A reverse proxy that adds a header to each request: for tools that test a server but cannot send a credential. */
export async function headerProxy(target: string, added: Readonly<Record<string, string>>) {
  const { hostname, port, host } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    // A foreign Host must arrive as it is: refusing it is what some scenarios test.
    const own = /^(localhost|127\.0\.0\.1):/.test(incoming.headers.host ?? "");
    const headers = { ...incoming.headers, ...added, ...(own ? { host } : {}) };
    const forwarded = request({ hostname, port, method: incoming.method, path: incoming.url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
