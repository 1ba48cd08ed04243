import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ADMIT, LOCATE } from "../../../../src/access/admission/script.ts";
import { bucketsOf, questionOf, type Question } from "../../../../src/access/admission/admission.ts";
import { headerOf, recordText } from "../../../../src/access/record.ts";
import { take, type Bucket } from "../../../../src/limits/bucket.ts";
import { planOf } from "../../../../src/limits/plan.ts";
import { startScriptRedis } from "../../platform/redis/script-redis.ts";
import { KEY, NOW, PROOF, quota, tokenClaim, versioned, grantOf } from "../credentials.ts";

const RECORD = "mrg1:key:hash-1";
const TENANT = "mrg1:epoch:t:tenant-1";
const USER = "mrg1:epoch:u:user-1";
const GUESS = "mrg1:bucket:guess:c0000201";

const { redis, runScript, stop } = await startScriptRedis();
afterAll(async () => {
  vi.useRealTimers();
  await stop();
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  await redis.flushall();
});

let events = 0;
/** Asks about a call, each time as another event, with a record that Redis is told of unless something else is said. */
function ask(change: Partial<Question> & { tool?: string | null } = {}) {
  const { tool = null, ...question } = change;
  const held = "held" in change ? change.held : versioned();
  const buckets = held && !change.refusal ? bucketsOf(held, tool) : [];
  const asked = {
    eventId: `event-${events++}`,
    credential: KEY,
    isFresh: false,
    refusal: undefined,
    entry: "",
    buckets,
  };
  const { keys, args } = questionOf({ ...asked, ...question, held });
  return runScript(ADMIT, keys, args);
}
const fill = (change: Parameters<typeof ask>[0] = {}) => ask({ isFresh: true, ...change });
/** How somebody sees it whom Redis was told of the record, and then something happened. */
async function after(...commands: [string, ...string[]][]) {
  await fill();
  for (const [command, ...words] of commands) await redis.call(command, ...words);
}

describe("R9: the record of a credential in Redis", () => {
  it("R9: is missed until somebody brings it, then confirmed to who holds it, and given to who does not", async () => {
    expect(await ask()).toEqual(["miss", ""]);
    expect(await fill()).toEqual(["verdict", "ok|199,399,1999,4999||"]);
    expect(await ask()).toEqual(["verdict", "ok|198,398,1998,4998||"]);
    expect(await ask({ held: versioned({}, 2) })).toEqual(["record", recordText(versioned())]);
    expect(await Promise.all([RECORD, TENANT, USER].map((key) => redis.ttl(key)))).toEqual([30, 86_400, 86_400]);
  });

  it.each<[string, [string, ...string[]][], string]>([
    ["the key has changed", [["SET", RECORD, "4|"]], "miss"],
    ["the key is gone for good", [["SET", RECORD, "4|dead"]], "dead"],
    ["the key is unknown", [["SET", RECORD, "0|unknown"]], "unknown"],
    ["the tenant has changed", [["SET", TENANT, "6"]], "miss"],
    ["the user has changed", [["SET", USER, "8"]], "miss"],
    ["Redis has forgotten the record", [["DEL", RECORD]], "miss"],
    ["Redis has forgotten the tenant", [["DEL", TENANT]], "miss"],
    ["Redis has forgotten the user", [["DEL", USER]], "miss"],
    ["something else is in its place", [["SET", RECORD, "<html>"]], "miss"],
  ])("R9: is not confirmed when %s", async (_what, commands, state) => {
    await after(...commands);
    expect(await ask()).toEqual([state, ""]);
    expect(await ask({ refusal: { kind: "not_on_list" } })).toEqual([state, ""]);
  });

  it.each<[string, [string, ...string[]][], string]>([
    ["before the key changed", [["SET", RECORD, "4|"]], "stale"],
    ["before the key was gone for good", [["SET", RECORD, "4|dead"]], "dead"],
    ["before the tenant changed", [["SET", TENANT, "6"]], "stale"],
    ["before the user changed", [["SET", USER, "8"]], "stale"],
  ])("R9: does not come back when it was read %s", async (_when, commands, state) => {
    await after(...commands);
    const before = await redis.mget(RECORD, TENANT, USER);
    expect(await fill()).toEqual([state, ""]);
    expect(await redis.mget(RECORD, TENANT, USER)).toEqual(before);
  });

  it.each([
    ["the mark of its own change", "3|"],
    ["that it is unknown", "0|unknown"],
    ["an older one", recordText(versioned({}, 2))],
    ["something else", "<html>"],
  ])("R9: takes the place of %s", async (_what, text) => {
    await redis.set(RECORD, text);
    expect(await fill()).toEqual(["verdict", expect.stringMatching(/^ok\|/)]);
    expect(await redis.get(RECORD)).toBe(recordText(versioned()));
  });

  it("R9: does not take the place of a newer one, which is given instead", async () => {
    const newer = versioned({ works: false }, 4);
    await fill({ held: newer });
    expect(await fill()).toEqual(["record", recordText(newer)]);
  });

  it("R9: of version 3 is not that of version 31", async () => {
    await fill({ held: versioned({}, 31) });
    expect(await ask()).toEqual(["record", expect.stringMatching(new RegExp(`^31\\|`))]);
    expect(headerOf(versioned({}, 31))).toBe("31|5|7|works||");
  });

  it("J07: has expired when Redis' clock says so, whatever the isolate's", async () => {
    const held = versioned({ expiresAt: NOW + 10 });
    expect(await fill({ held })).toEqual(["verdict", expect.anything()]);
    vi.setSystemTime(NOW + 9);
    expect(await ask({ held })).toEqual(["verdict", expect.anything()]);
    vi.setSystemTime(NOW + 10);
    expect(await ask({ held })).toEqual(["expired", ""]);
  });

  it.each(["grant-1", "managed-1"])("R9: is of no use to a token when its grant has ended: %s", async (id) => {
    const credential = tokenClaim({ clientGrantId: "managed-1" });
    const held = { ...versioned(), record: grantOf() };
    expect(await fill({ credential, held })).toEqual(["verdict", expect.anything()]);
    await redis.set(`mrg1:ended:${id}`, "1");
    expect(await ask({ credential, held })).toEqual(["ended", ""]);
    expect(await ask({ credential, held: undefined })).toEqual(["ended", ""]);
  });

  it("R8: of a grant is given to who holds none", async () => {
    const held = { ...versioned(), record: grantOf() };
    expect(await ask({ credential: tokenClaim(), held: undefined })).toEqual(["miss", ""]);
    await fill({ credential: tokenClaim(), held });
    expect(await ask({ credential: tokenClaim(), held: undefined })).toEqual(["record", recordText(held)]);
  });
});

describe("R10: what a call takes", () => {
  const bucketKeys = async () => (await redis.keys("mrg1:bucket:*")).toSorted();

  it("R10: is the same as the arithmetic of buckets says, call by call", async () => {
    const own = { perMinute: 733, burst: 4 };
    const held = versioned({ plan: planOf({}, {}, own) });
    await redis.mset(RECORD, recordText(held), TENANT, "5", USER, "7");
    let bucket: Bucket | undefined;
    let now = NOW;
    // Gaps that are no multiples of what a call takes, 81.9 ms, one of them back in time.
    for (const gap of [0, 0, 0, 0, 0, 81, 1, 40, 42, -500, 500, 1_000, 0, 0, 0, 0, 0, 7, 75, 300_000, 0]) {
      now += gap;
      vi.setSystemTime(now);
      const expected = take(bucket, own, now);
      const [state, text] = (await ask({ held })) as [string, string];
      expect(state).toBe("verdict");
      if (expected.taken) expect(text.split(/[|,]/).slice(0, 2)).toEqual(["ok", String(expected.remaining)]);
      else expect(text).toBe(`rate_limited|1|${expected.retryMs}`);
      if (expected.taken) ({ bucket } = expected);
    }
  });

  it("M02: is nothing from any bucket when one of them is empty", async () => {
    const held = versioned({ plan: planOf({ tool: { perMinute: 60, burst: 1 } }, {}, null) });
    expect(await fill({ held, tool: "echo" })).toEqual(["verdict", "ok|199,399,1999,0,4999||"]);
    const keys = await bucketKeys();
    const before = await redis.mget(keys);
    expect(await ask({ held, tool: "echo", entry: "{}" })).toEqual(["verdict", "rate_limited|4|1000"]);
    expect(await redis.mget(keys)).toEqual(before);
    expect(await redis.exists("mrg1:audit:6")).toBe(0);
    expect(await ask({ held, tool: "whoami" })).toEqual(["verdict", "ok|198,398,1998,0,4998||"]);
  });

  it("is taken once for an event, which has its first verdict a minute long", async () => {
    await fill();
    const question = { eventId: "event-again", entry: '{"id":"a"}' };
    const first = await ask(question);
    expect(await ask(question)).toEqual(first);
    expect(await ask(question)).toEqual(first);
    expect(await redis.ttl("mrg1:verdict:event-again")).toBe(60);
    const streams = await redis.keys("mrg1:audit:*");
    expect(streams).toHaveLength(1);
    expect(await redis.xrange(streams[0] ?? "", "-", "+")).toEqual([
      [
        String((first as string[])[1])
          .split("|")
          .at(-1),
        ["i", '{"id":"a"}'],
      ],
    ]);
    expect(await ask()).toEqual(["verdict", "ok|197,397,1997,4997||"]);
  });

  it("leaves no bucket behind that is full again", async () => {
    await fill();
    const lives = await Promise.all((await bucketKeys()).map((key) => redis.pttl(key)));
    expect(lives.filter((ms) => ms < 1_000 || ms > 1_100)).toEqual([]);
  });

  it("is nothing for who is refused", async () => {
    await fill();
    const before = await redis.keys("*");
    expect(await ask({ refusal: { kind: "not_on_list" }, entry: "" })).toEqual(["current", ""]);
    expect((await redis.keys("*")).toSorted()).toEqual(before.toSorted());
  });

  it("K03: spends a proof once, unless the call is the same event again", async () => {
    const credential = tokenClaim({ proof: PROOF });
    const held = { ...versioned(), record: grantOf() };
    const question = { credential, held, eventId: "event-proved" };
    const first = await fill(question);
    expect(first).toEqual(["verdict", expect.stringMatching(/^ok/)]);
    expect(await ask(question)).toEqual(first);
    expect(await ask({ credential, held })).toEqual(["replayed", ""]);
    expect(await redis.ttl("mrg1:proof:proof-1")).toBe(PROOF.seconds);
  });
});

describe("a quota", () => {
  const held = versioned({ quota: { ...quota, max: 6 } });

  it("goes on from what Postgres knows until it is used up, and then nothing else is taken", async () => {
    expect(await fill({ held })).toEqual(["verdict", expect.stringMatching(/\|5\|$/)]);
    expect(await ask({ held })).toEqual(["verdict", "ok|198,398,1998,4998|6|"]);
    expect(await ask({ held })).toEqual(["verdict", "quota|6"]);
    expect(await redis.get("mrg1:bucket:credential:chain-1")).toBe(`${198 * 60_000}:${NOW}`);
  });

  it("is read from Postgres when Redis has forgotten the count", async () => {
    await fill({ held });
    await redis.del("mrg1:quota:chain-1");
    expect(await ask({ held })).toEqual(["miss", ""]);
    expect(await redis.exists("mrg1:quota:chain-1")).toBe(0);
  });

  it.each([
    ["more than Redis", "2027-01|1", "5"],
    ["less than Redis", "2027-01|5", "6"],
    ["another period than Redis", "2026-12|1000", "5"],
  ])("is counted by the higher count when Postgres knows %s", async (_what, counted, used) => {
    await redis.set("mrg1:quota:chain-1", counted);
    expect(await fill({ held })).toEqual(["verdict", `ok|199,399,1999,4999|${used}|`]);
    expect(await redis.get("mrg1:quota:chain-1")).toBe(`2027-01|${used}`);
  });
});

describe("the keys of a call", () => {
  it("are all declared: Upstash runs no script that touches another", async () => {
    const script = { source: ADMIT.source.replaceAll("KEYS[2]", "'mrg1:key:other'") };
    const { keys, args } = questionOf({
      eventId: "event-1",
      credential: KEY,
      held: undefined,
      isFresh: false,
      refusal: undefined,
      buckets: [],
      entry: "",
    });
    expect(await runScript(ADMIT, keys, args)).toEqual(["miss", ""]);
    await expect(runScript(script, keys, args)).rejects.toThrow("mrg1:key:other");
  });
});

describe("J06: guessing keys", () => {
  const locate = (what: "found" | "trying" | "missing", key = RECORD) =>
    runScript(LOCATE, [key, GUESS], ["60", "5", what]);

  it("J06: finds what is there, and says of a key that is not that it may be looked for", async () => {
    expect(await locate("found")).toEqual(["none", ""]);
    await redis.set(RECORD, "4|");
    expect(await locate("found")).toEqual(["record", "4|"]);
    expect(await redis.exists(GUESS)).toBe(0);
  });

  it("J06: remembers for five seconds that there is no such key, and hides no record by that", async () => {
    expect(await locate("missing")).toEqual(["unknown", ""]);
    expect([await redis.get(RECORD), await redis.ttl(RECORD)]).toEqual(["0|unknown", 5]);
    await redis.set(RECORD, recordText(versioned()));
    await locate("missing");
    expect(await redis.get(RECORD)).toBe(recordText(versioned()));
  });

  it("J06: counts a dear look-up before it is done, and says nothing of the key by that", async () => {
    for (let n = 0; n < 5; n++) await locate("trying");
    expect(await redis.exists(RECORD)).toBe(0);
    expect(await locate("found")).toEqual(["blocked", "61000"]);
  });

  it("J06: shuts an address out for a minute after so many guesses, but not from keys that are there", async () => {
    for (let n = 0; n < 5; n++) {
      expect(await locate("found", `mrg1:key:guess-${n}`)).toEqual(["none", ""]);
      expect(await locate("missing", `mrg1:key:guess-${n}`)).toEqual(["unknown", ""]);
    }
    expect(await locate("found", "mrg1:key:guess-6")).toEqual(["blocked", "61000"]);
    await redis.set(RECORD, recordText(versioned()));
    expect(await locate("found")).toEqual(["record", recordText(versioned())]);
    vi.setSystemTime(NOW + 60_999);
    expect(await locate("found", "mrg1:key:guess-6")).toEqual(["blocked", "1"]);
    vi.setSystemTime(NOW + 61_000);
    expect(await locate("found", "mrg1:key:guess-6")).toEqual(["none", ""]);
  });

  it.each(["0|unknown", "4|dead"])("J06: counts a key that is known to be none, too: %s", async (text) => {
    await redis.set(RECORD, text);
    const states = [];
    for (let n = 0; n < 6; n++) states.push(((await locate("found")) as string[])[0]);
    expect(states).toEqual(["unknown", "unknown", "unknown", "unknown", "unknown", "blocked"]);
  });
});
