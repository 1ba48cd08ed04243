import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { session } from "../../../src/identity/schema.ts";
import { createWorker } from "../../../src/worker.ts";
import { db, newUser } from "../../support/gateway.ts";
import { background } from "../../support/worker.ts";

describe("the scheduled handler", () => {
  it("deletes expired sessions and keeps live ones", async () => {
    const { id: userId } = await newUser();
    const row = (id: string, expiresAt: Date) => ({ id, userId, token: id, expiresAt, updatedAt: new Date() });
    const hour = 3_600_000;
    await db
      .insert(session)
      .values([row(`${userId}-old`, new Date(Date.now() - hour)), row(`${userId}-live`, new Date(Date.now() + hour))]);
    await createWorker(undefined, background).scheduled(createScheduledController(), env);
    const left = await db.select({ id: session.id }).from(session).where(eq(session.userId, userId));
    expect(left).toEqual([{ id: `${userId}-live` }]);
  });
});
