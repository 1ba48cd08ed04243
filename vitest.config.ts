import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { configDefaults, defineConfig } from "vitest/config";
import { importsOf, modulesBelow } from "./test/support/imports.ts";
import type { LentStack } from "./test/support/stack-setup.ts";
import { TimeReporter } from "./test/support/time-reporter.ts";

/** Files at the same time. More than four stacks at once slow each other down, also on a larger machine. */
const maxWorkers = Math.min(availableParallelism(), 4);
/** A test that takes this long hangs: machines that do something else as well are slow. */
const limits = { testTimeout: 180_000, hookTimeout: 180_000 };

/** Every package that the Worker imports: bundled once, each is loaded as a few files instead of several hundred. */
const packages = new Set(
  [...modulesBelow("src").values()].flatMap(importsOf).filter((name) => !/^(\.|node:|cloudflare:)/.test(name)),
);
const optimizer = {
  ssr: {
    enabled: true,
    include: [...packages, "hono/jsx/jsx-runtime", "hono/jsx/jsx-dev-runtime", "oauth4webapi"],
    rolldownOptions: { external: [/^node:/, /^cloudflare:/] },
  },
};

const { POSTGRES_URL, TEST_RESULTS } = process.env;
const jsonReport: ["json", { outputFile: string }][] =
  TEST_RESULTS === undefined ? [] : [["json", { outputFile: TEST_RESULTS }]];

/**
 * unit: pure code. stack: the local stack itself. worker: stories over HTTP in workerd, in isolates with a stack each.
 * system: real clients (conformance) and a real browser (e2e) against one `npm start`.
 */
export default defineConfig({
  test: {
    silent: "passed-only",
    reporters: ["default", new TimeReporter(), ...jsonReport],
    projects: [
      {
        test: { name: "unit", include: ["test/unit/**/*.test.{ts,tsx}"], isolate: false, maxWorkers, ...limits },
      },
      {
        test: {
          name: "stack",
          include: ["test/stack/**/*.test.ts"],
          globalSetup: ["test/support/postgres-setup.ts"],
          isolate: false,
          maxWorkers,
          ...limits,
        },
      },
      {
        // A run on real servers may go on beside one on embedded servers: they must not write the same cache.
        cacheDir: `node_modules/.vite/${POSTGRES_URL === undefined ? "embedded" : "real"}`,
        resolve: { alias: { "@better-auth/utils/password": resolve("test/support/quick-password.ts") } },
        plugins: [
          cloudflareTest(async ({ inject }) => {
            const answer = await fetch(inject("stacks"), { method: "POST" });
            if (!answer.ok) throw new Error(await answer.text());
            const { settings, controls } = await answer.json<LentStack>();
            return {
              main: "./test/support/worker.ts",
              wrangler: { configPath: "./wrangler.toml" },
              miniflare: { bindings: { ...settings, TEST_CONTROLS: controls } },
            };
          }),
        ],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["test/support/stack-setup.ts"],
          isolate: false,
          maxWorkers,
          deps: { optimizer },
          ...limits,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/{conformance,e2e}/**/*.test.ts"],
          globalSetup: ["test/support/system-setup.ts"],
          fileParallelism: false,
          ...limits,
        },
      },
    ],
    exclude: configDefaults.exclude,
  },
});
