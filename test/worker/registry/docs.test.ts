import { describe, expect, it } from "vitest";
import page from "../../../docs/registry.md?raw";
import { newKey, origin, request } from "../../support/gateway.ts";
import { managing } from "../../support/managed-clients.ts";
import { gatewayWith } from "../../support/oauth.ts";
import { OtherRegistry } from "../../support/other-registry.ts";
import { outside } from "../../support/outside.ts";
import { ask, newDomain } from "../../support/publishing.ts";
import { newSigner } from "../../support/signers.ts";

type Gateway = (path: string, init?: RequestInit) => Promise<Response>;
type Values = Readonly<Record<string, string>>;

const HOSTS = page.replaceAll("https://gateway.example.com", origin);

/** A request of the page, with what its reader would fill in. */
function send(name: string, values: Values, gateway: Gateway = request, headersBeside: Values = {}): Promise<Response> {
  const [, text = ""] = new RegExp(`^\`\`\`http ${name}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(HOSTS) ?? [];
  if (text === "") throw new Error(`docs/registry.md has no request ${name}`);
  const filled = text.replaceAll(/\{([A-Z_]+)\}/g, (_, value: string) => {
    const given = values[value];
    if (given === undefined) throw new Error(`${name}: what is ${value}?`);
    return given;
  });
  const [head = "", ...body] = filled.trimEnd().split("\n\n");
  const [start = "", ...lines] = head.split("\n");
  const [method = "", path = ""] = start.split(" ");
  const headers = new Headers(lines.map((line) => line.split(": ") as [string, string]));
  headers.delete("host");
  for (const [field, value] of Object.entries(headersBeside)) headers.set(field, value);
  return gateway(path, { method, headers, ...(body.length > 0 && { body: body.join("\n\n") }) });
}

/** The answer, when it is the one that was expected. */
async function good<Body = Record<string, unknown>>(answer: Response, status = 200): Promise<Body> {
  const text = await answer.text();
  expect([answer.status, answer.status === status ? "" : text]).toEqual([status, ""]);
  return JSON.parse(text) as Body;
}

/** Somebody with a key for everything about the registry of their own organization. */
const newOwner = () => newKey({ scopes: ["mcp-registry:read", "mcp-registry:write"] });

describe("the requests of docs/registry.md", () => {
  it("R19: claim a namespace, verify it, publish, deprecate, find, and log in with the key of the domain", async () => {
    const { key } = await newOwner();
    const { domain, namespace } = newDomain();
    const name = `${namespace}/weather`;
    const values = {
      OWNER_KEY: key,
      PUBLISHER_KEY: key,
      READER_KEY: key,
      NAMESPACE: namespace,
      ONCE: crypto.randomUUID(),
      NAME: encodeURIComponent(name),
    };
    const { claim } = await good<{ claim: string }>(await send("claim", values));
    const signer = await newSigner("ed25519");
    const work = async () => {
      const gateway = gatewayWith({});
      const verified = await good<{ covers: string[]; keys: string[] }>(await send("verify", values, gateway));
      expect(verified.covers).toEqual([`${namespace}/*`, `${namespace}.*/*`]);
      expect(verified.keys).toHaveLength(1);
      const timestamp = `${new Date().toISOString().slice(0, 19)}Z`;
      const body = { domain, timestamp, signed_timestamp: await signer.sign(timestamp) };
      expect((await ask("POST", "/v0/auth/dns", body, { gateway })).status).toBe(200);
    };
    await outside({}, work, {}, { [domain]: [claim, signer.record] });
    const published = await good<{ server: unknown }>(await send("publish", values));
    expect(published.server).toMatchObject({ name, version: "1.0.0" });
    expect(await good(await send("publish", values))).toEqual(published);
    const own = await good<{ servers: { server: { name: string } }[] }>(await send("own-registry", values));
    expect(own.servers.map(({ server }) => server.name)).toEqual([name]);
    const ranked = await good<{ servers: { server: { name: string } }[] }>(await send("ranked-search", values));
    expect(ranked.servers.map(({ server }) => server.name)).toEqual([name]);
    const deprecated = await good<{ _meta: Record<string, { status: string }> }>(await send("deprecate", values));
    expect(Object.values(deprecated._meta)).toMatchObject([{ status: "deprecated", statusMessage: "Use 2.0.0" }]);
    expect((await good<{ servers: unknown[] }>(await send("first-page", {}))).servers).toEqual(expect.any(Array));
  });

  it("make a private view, read it, replace it and end it", async () => {
    const { key } = await newOwner();
    const values = { OWNER_KEY: key };
    const made = await good<{ id: string; url: string }>(await send("make-view", values), 201);
    const SECRET = made.url.slice(`${origin}/r/`.length);
    const office = { "cf-connecting-ip": "192.0.2.7" };
    expect((await send("read-view", { SECRET }, request, office)).status).toBe(200);
    expect((await send("read-view", { SECRET }, request, { "cf-connecting-ip": "203.0.113.7" })).status).not.toBe(200);
    const rotated = await good<{ id: string; url: string }>(
      await send("rotate-view", { ...values, VIEW: made.id }),
      201,
    );
    const next = { SECRET: rotated.url.slice(`${origin}/r/`.length) };
    for (const at of [{ SECRET }, next]) expect((await send("read-view", at, request, office)).status).toBe(200);
    await good(await send("delete-view", { ...values, VIEW: rotated.id }));
    expect((await send("read-view", next, request, office)).status).toBe(404);
  });

  it("say the settings of a fleet, which are those of the page", async () => {
    const { key } = await newOwner();
    const [, shown = ""] = /^```json vscode-settings\n([\s\S]*?)^```$/m.exec(HOSTS) ?? [];
    const { settings } = await good<{ settings: object }>(await send("vscode-policy", { READER_KEY: key }));
    expect(settings).toMatchObject(JSON.parse(shown) as object);
    const copilot = await good<{ managedSettings: object }>(await send("copilot-policy", { READER_KEY: key }));
    expect(copilot.managedSettings).toEqual({
      allowedMcpServers: [{ serverUrl: `${origin}/mcp` }, { serverUrl: `${origin}/mcp/*` }],
    });
  });

  it("mirror another registry", async () => {
    const { key } = await newOwner();
    const other = new OtherRegistry().put(
      { name: "com.example/a", version: "1.0.0", isLatest: true },
      { name: "com.example/test-b", version: "1.0.0", isLatest: true },
      { name: "org.example/c", version: "1.0.0", isLatest: true },
    );
    await outside({ "registry.example.com": other.answer }, async () => {
      const gateway = gatewayWith({});
      const { id } = await good<{ id: string }>(await send("add-source", { OWNER_KEY: key }, gateway), 201);
      const run = await good(await send("run-source", { OWNER_KEY: key, SOURCE: id }, gateway));
      expect(run).toMatchObject({ state: "finished" });
      const removed = await managing(key)("GET", "/v0.1/servers");
      expect(
        (await good<{ servers: { server: { name: string } }[] }>(removed)).servers.map(({ server }) => server.name),
      ).toEqual(["com.example/a"]);
    });
  });

  it("are all tried here", () => {
    const named = [...HOSTS.matchAll(/^```http ([\w-]+)$/gm)].map(([, name]) => name);
    const tried = new Set([
      "add-source",
      "claim",
      "copilot-policy",
      "delete-view",
      "deprecate",
      "first-page",
      "make-view",
      "own-registry",
      "publish",
      "ranked-search",
      "read-view",
      "rotate-view",
      "run-source",
      "verify",
      "vscode-policy",
    ]);
    expect(named.filter((name = "") => !tried.has(name))).toEqual([]);
    expect(named).toHaveLength(tried.size);
  });
});
