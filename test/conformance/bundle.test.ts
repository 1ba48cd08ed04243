import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort } from "../../dev/free-port.ts";
import { bundle, runBundle } from "../support/workerd.ts";

describe("the bundle of a deployment", () => {
  let directory: string;
  let module: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "gateway-bundle-"));
    module = await bundle(directory);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("starts in workerd, and serves metadata of resource and issuer without Postgres and Redis", async () => {
    const port = await freePort();
    const worker = await runBundle(
      module,
      {
        ENVIRONMENT: "development",
        BASE_URL: `http://localhost:${port}`,
        DATABASE_URL: "postgresql://mrg_app:none@127.0.0.1/none",
        NEON_HTTP_ENDPOINT: "http://127.0.0.1:9/sql",
        UPSTASH_REDIS_REST_URL: "http://127.0.0.1:9",
        UPSTASH_REDIS_REST_TOKEN: "none",
        BETTER_AUTH_SECRETS: "kq3vX0m8Rr2Zt7Yw5Ub1Nc9Pe4Sf6Hg0Jd2Lx8Qa3Vo",
        SEALING_KEYS: `a:${randomBytes(32).toString("base64")}`,
      },
      port,
    );
    try {
      const resource = await fetch(`${worker.url}/.well-known/oauth-protected-resource`);
      expect(await resource.json()).toMatchObject({ resource: `http://localhost:${port}/mcp` });
      const issuer = await fetch(`${worker.url}/.well-known/oauth-authorization-server`);
      expect(await issuer.json()).toMatchObject({ issuer: `http://localhost:${port}` });
    } finally {
      await worker.stop();
    }
  });

  it("S05: contains nothing that needs Node's module loader, and hashes passwords with the platform's scrypt", () => {
    const source = readFileSync(module, "utf8");
    expect(source).not.toContain("createRequire(import.meta.url)");
    expect(source).toContain("node:crypto");
    expect(source).not.toMatch(/noble.{0,40}scrypt/);
  });
});
