// The configuration comes first: it loads zod, which the bundler initializes lazily and the MCP SDK needs while its own
// modules load.
import { parseConfig } from "./platform/config.ts";
import type { Hono } from "hono";
import { createApp } from "./app.ts";
import { settingsProblems } from "./auth/settings.ts";
import type { HttpEnv } from "./platform/http.ts";
import { problemResponse } from "./http/problem.ts";
import { uuidv7 } from "./platform/crypto.ts";
import { errorFields, log as consoleLog, type Log } from "./platform/log.ts";
import { createServices, RUNTIME, type Later, type Services } from "./services.ts";

interface Started {
  services: Services;
  app: Hono<HttpEnv>;
}

/**
 * The Worker's handlers. The configuration is read once per isolate. While a setting is wrong, every route answers 503,
 * and the log names the setting.
 */
export function createWorker(log: Log = consoleLog, later: Later = RUNTIME) {
  let started: Started | undefined;

  function start(env: object): Started | null {
    if (started) return started;
    const parsed = parseConfig(env);
    const problems = "problems" in parsed ? parsed.problems : settingsProblems(parsed.config);
    if ("problems" in parsed || problems.length > 0) {
      for (const { name, problem } of problems) log("error", "config.invalid", { name, problem });
      return null;
    }
    const services = createServices(parsed.config, later);
    started = { services, app: createApp(services) };
    return started;
  }

  return {
    fetch(request: Request, env: object, context: ExecutionContext): Response | Promise<Response> {
      const ready = start(env);
      if (ready) return ready.app.fetch(request, env, context);
      return problemResponse(
        "not_configured",
        "This gateway is not configured correctly. Its log names the settings to fix.",
        uuidv7(),
      );
    },
    async scheduled(_controller: unknown, env: object): Promise<void> {
      const services = start(env)?.services;
      if (!services) return;
      // A task that fails does not stop the others.
      const work = [services.flushOutbox(), services.drain(), services.prune(), services.syncRegistry()];
      const failed = (await Promise.allSettled(work)).filter(({ status }) => status === "rejected");
      for (const { reason } of failed as PromiseRejectedResult[]) log("error", "scheduled.failed", errorFields(reason));
      if (failed.length > 0) throw new Error(`${failed.length} of ${work.length} scheduled tasks failed`);
    },
  };
}
