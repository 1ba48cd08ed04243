import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { text as bodyOf } from "node:stream/consumers";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import { describe, expect, it, onTestFinished } from "vitest";
import { startDemoUpstreams } from "../../dev/upstreams/demo-upstreams.ts";
import { createEverything } from "../../dev/upstreams/everything.ts";
import { notesFactory } from "../../dev/upstreams/notes.ts";
import { startUpstream, type RunningUpstream, type UpstreamFactory } from "../../dev/upstreams/serve.ts";

const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } },
});

async function start(factory: UpstreamFactory = notesFactory()): Promise<RunningUpstream> {
  const upstream = await startUpstream({ name: "under test", factory });
  onTestFinished(() => upstream.stop().catch(() => {}));
  return upstream;
}

async function send(
  { port }: RunningUpstream,
  {
    method = "POST",
    path = "/mcp",
    headers = {},
  }: { method?: string; path?: string; headers?: Record<string, string> },
): Promise<{ status: number | undefined; body: string }> {
  const outgoing = request({
    host: "127.0.0.1",
    port,
    method,
    path,
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
  });
  outgoing.end(method === "POST" ? initialize : undefined);
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return { status: incoming.statusCode, body: await bodyOf(incoming) };
}

describe("A demo upstream's HTTP server", () => {
  it("serves a caller that names it localhost or 127.0.0.1", async () => {
    const upstream = await start();
    for (const host of [`localhost:${upstream.port}`, `127.0.0.1:${upstream.port}`]) {
      const answer = await send(upstream, { headers: { host, origin: `http://${host}` } });
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('"serverInfo"');
    }
  });

  it.each([
    ["Host", { host: "evil.example.com" }],
    ["Origin", { origin: "http://evil.example.com" }],
  ])("refuses a foreign %s with 403", async (_header, headers) => {
    expect((await send(await start(), { headers })).status).toBe(403);
  });

  it("names its endpoint to callers of another path, and answers GET with 405", async () => {
    const upstream = await start();
    expect(await send(upstream, { path: "/other" })).toMatchObject({ status: 404, body: /\/mcp/ });
    expect((await send(upstream, { method: "GET" })).status).toBe(405);
  });

  it("aborts the handler's signal when the client disconnects", async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    const upstream = await start(() => {
      const server = new McpServer({ name: "hanging", version: "1.0.0" });
      server.registerTool("hang", {}, async ({ mcpReq }) => {
        mcpReq.signal.addEventListener("abort", () => aborted.resolve());
        started.resolve();
        await aborted.promise;
        return { content: [] };
      });
      return server;
    });
    const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    const transport = new StreamableHTTPClientTransport(new URL(upstream.url));
    await client.connect(transport);
    const call = client.callTool({ name: "hang" });
    await started.promise;
    await Promise.all([expect(call).rejects.toThrow("Connection closed"), transport.close(), aborted.promise]);
  });

  it("ends open streams and frees its port when it stops", async () => {
    const first = await start(() => new McpServer({ name: "listened to", version: "1.0.0" }));
    const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(new URL(first.url)));
    onTestFinished(() => client.close());
    const subscription = await client.listen({});
    await first.stop();
    expect(await subscription.closed).not.toBe("local");
    const second = await startUpstream({ name: "second", factory: notesFactory(), port: first.port });
    await second.stop();
    expect(second.port).toBe(first.port);
  });

  it("says which upstream could not start on a port that is taken", async () => {
    const { port } = await start();
    await expect(startUpstream({ name: "latecomer", factory: notesFactory(), port })).rejects.toThrow(
      `Upstream "latecomer" cannot listen on 127.0.0.1:${port}`,
    );
  });
});

describe("The demo upstreams", () => {
  it("keep nothing between requests when their factory shares no state", async () => {
    const { url } = await start(createEverything);
    const client = new Client({ name: "test", version: "1.0.0" });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    onTestFinished(() => client.close());
    const change = await client.callTool({ name: "test_trigger_tool_change" });
    expect(change.content).toEqual([{ type: "text", text: "extra_tool is now offered." }]);
    expect((await client.listTools()).tools.map(({ name }) => name)).not.toContain("extra_tool");
  });

  it("start together, each under its slug", async () => {
    const demo = await startDemoUpstreams();
    onTestFinished(() => demo.stop());
    for (const [{ slug, url }, tool] of [
      [demo.everything, "add"],
      [demo.notes, "notes_list"],
    ] as const) {
      const client = new Client({ name: "test", version: "1.0.0" });
      await client.connect(new StreamableHTTPClientTransport(new URL(url)));
      onTestFinished(() => client.close());
      expect(client.getServerVersion()?.name).toBe(slug);
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain(tool);
    }
  });

  it("leave nothing running when one of them cannot start", async () => {
    const { port } = await start();
    const free = await startUpstream({ name: "placeholder", factory: notesFactory() });
    await free.stop();
    await expect(startDemoUpstreams({ everything: free.port, notes: port })).rejects.toThrow('"notes"');
    const again = await startUpstream({ name: "again", factory: notesFactory(), port: free.port });
    await again.stop();
  });
});
