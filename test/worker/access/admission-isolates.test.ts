import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/platform/crypto.ts";
import { redisKeys } from "../../../src/platform/redis/redis.ts";
import { redisScript } from "../../../src/platform/redis/script.ts";
import { forget, keyWith, newHolders, redisText, runScript, tokenSigner } from "../../support/admission.ts";
import type { Send } from "../../support/browsing.ts";
import { db, eventually, request, withFault } from "../../support/gateway.ts";
import { gatewayWith, newClient } from "../../support/oauth.ts";

const call = async (isolate: Send, headers: Record<string, string>): Promise<number> => {
  const answer = await isolate("/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"}}}',
  });
  return answer.status;
};

const SET = redisScript("return redis.call('SET', KEYS[1], ARGV[1])");

describe("isolates that read the record of a credential at different times", () => {
  it("R10: count for this month, even where one has held its record since last month", async () => {
    const subject = await keyWith({ quotaMax: 3, quotaPeriod: "month" });
    const headers = { "x-api-key": subject.key };
    const [first, second] = [gatewayWith({}), gatewayWith({})];
    expect(await call(second, headers)).toBe(200);
    const recordKey = redisKeys.keyRecord(await sha256(subject.key));
    const now = (await redisText(recordKey)) ?? "";
    const month = /"period":"(\d{4}-\d\d)"/.exec(now)?.[1] ?? "no month";
    await runScript(SET, [recordKey], [now.replaceAll(month, "2020-01")]);
    expect(await call(first, headers)).toBe(200);
    await runScript(SET, [recordKey], [now]);
    await forget(redisKeys.quota(subject.id));
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push(await call(second, headers), await call(first, headers));
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(3);
    expect(await redisText(redisKeys.quota(subject.id))).toMatch(new RegExp(`^${month}\\|`));
  });

  it("R9: refuse a grant that ended without Redis hearing of it, as soon as one has read the record anew", async () => {
    const [person] = await newHolders(1, []);
    if (!person) throw new Error("nobody");
    const [clientId, sign, grantId] = [await newClient(), await tokenSigner(), crypto.randomUUID()];
    const headers = { authorization: `Bearer ${await sign({ ...person, clientId, grantId, scope: "mcp:tools" })}` };
    const [first, second] = [gatewayWith({}), gatewayWith({})];
    await eventually(async () => ((await call(first, headers)) === 200 ? true : undefined));
    await db.execute(sql`select end_grant(${grantId})`);
    await forget(redisKeys.grantRecord(grantId));
    expect(await call(second, headers)).toBe(401);
    expect(await call(first, headers)).toBe(401);
  });

  it("R10: count by one quota when Redis' answer to an isolate's first question is lost", async () => {
    const subject = await keyWith({ quotaMax: 5, quotaPeriod: "total" });
    const headers = { "x-api-key": subject.key };
    const statuses = [await call(request, headers)];
    for (let n = 0; n < 4; n++) {
      await withFault({ upstash: { mode: "reset-after-commit", nth: 1 } }, async () => {
        statuses.push(await call(gatewayWith({}), headers));
      });
    }
    for (let n = 0; n < 8; n++) statuses.push(await call(request, headers));
    expect(statuses.filter((status) => status === 200)).toHaveLength(5);
  });
});
