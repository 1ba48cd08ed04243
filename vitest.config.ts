import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { configDefaults, defineConfig } from "vitest/config";

const optimizer = {
  ssr: {
    enabled: true,
    include: [
      "better-auth",
      "@better-auth/oauth-provider",
      "@better-auth/api-key",
      "@modelcontextprotocol/server",
      "@modelcontextprotocol/client",
      "zod",
    ],
    rolldownOptions: { external: [/^node:/, /^cloudflare:/] },
  },
};

/** unit: pure code. stack: the local stack itself. worker: stories over HTTP in workerd. conformance: real clients against `npm start`. */
export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.{ts,tsx}"] } },
      { test: { name: "stack", include: ["test/stack/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 60_000 } },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: { bindings: { ...inject("workerSettings"), TEST_CONTROLS: inject("controls") } },
          })),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["test/support/stack-setup.ts"],
          isolate: false,
          maxWorkers: 1,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          deps: { optimizer },
        },
      },
      {
        test: {
          name: "conformance",
          include: ["test/conformance/**/*.test.ts"],
          globalSetup: ["test/support/system-setup.ts"],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
    exclude: configDefaults.exclude,
  },
});
