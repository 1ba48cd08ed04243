import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADMIT, LOCATE } from "../../../../src/access/admission/script.ts";
import {
  auditShardOf,
  auditShards,
  bucketsOf,
  limitStates,
  parseVerdict,
  questionOf,
  recordKeyOf,
  type Question,
} from "../../../../src/access/admission/admission.ts";
import { recordText } from "../../../../src/access/record.ts";
import { gatewayPart, planOf, shardOf } from "../../../../src/limits/plan.ts";
import { grantOf, KEY, PROOF, quota, tokenClaim, versioned } from "../credentials.ts";

const EVENT = "event-1";
const VERDICT = "mrg1:verdict:event-1";

const ask = (change: Partial<Question> = {}) => {
  const held = versioned();
  const question = { eventId: EVENT, credential: KEY, held, isFresh: false, refusal: undefined, entry: "" };
  return questionOf({ ...question, buckets: bucketsOf(held, "echo"), ...change });
};

describe("what admission said", () => {
  it.each([
    ["ok|199,399|5|1700-0", { state: "ok", remaining: [199, 399], used: 5, entryId: "1700-0" }],
    ["ok|0||", { state: "ok", remaining: [0], used: undefined, entryId: undefined }],
    ["ok|||", { state: "ok", remaining: [], used: undefined, entryId: undefined }],
    ["ok|1|0|", { state: "ok", remaining: [1], used: 0, entryId: undefined }],
    ["rate_limited|1|1", { state: "rate_limited", bucket: 0, retryMs: 1 }],
    ["rate_limited|5|60000", { state: "rate_limited", bucket: 4, retryMs: 60_000 }],
    ["quota|10", { state: "quota", used: 10 }],
  ])("is read from %j", (text, verdict) => {
    expect(parseVerdict(text)).toEqual(verdict);
  });

  it.each(["", "OK", "OK|1||", "okay|1", "dead", "<html>", "|ok"])("is nothing for %j", (text) => {
    expect(parseVerdict(text)).toBeUndefined();
  });
});

describe("R10: the buckets of a call", () => {
  const keysOf = (tool: string | null, change = {}) => bucketsOf(versioned(change), tool).map(({ key }) => key);

  it("R10: are one of each tier, from the caller's own to everybody's", () => {
    expect(keysOf("notes__create")).toEqual([
      "mrg1:bucket:credential:chain-1",
      "mrg1:bucket:user:user-1",
      "mrg1:bucket:tenant:tenant-1",
      "mrg1:bucket:tool:tenant-1:notes__create",
      `mrg1:bucket:gateway:${shardOf("tenant-1", 8)}`,
    ]);
  });

  it("R10: are not of a tool for what is no call of one", () => {
    expect(bucketsOf(versioned(), null).map(({ tier }) => tier)).toEqual(["credential", "user", "tenant", "gateway"]);
  });

  it("M01: are shared by the keys of a rotation, of a user, and of a tenant", () => {
    const [own, user, tenant, tool] = keysOf("echo");
    expect(keysOf("echo", { id: "key-2" })[0]).toBe(own);
    expect(keysOf("echo", { id: "key-2", chainId: "chain-2" })).toEqual(expect.arrayContaining([user, tenant, tool]));
    expect(keysOf("echo", { userId: "user-2", chainId: "chain-2" })).toEqual(expect.arrayContaining([tenant, tool]));
  });

  it("M01: are no other tenant's, but for everybody's", () => {
    const others = keysOf("echo", { chainId: "chain-2", userId: "user-2", tenantId: "tenant-2" });
    expect(others.slice(0, 4).filter((key) => keysOf("echo").includes(key))).toEqual([]);
  });

  it("have the limits of the plan, a tool its own, and a part of everybody's", () => {
    const own = { perMinute: 7, burst: 3 };
    const plan = planOf({ tools: { echo: own } }, {}, null);
    const limitsFor = (tool: string) => bucketsOf(versioned({ plan }), tool).map(({ limit }) => limit);
    const { credential, user, tenant, gateway } = plan;
    expect(limitsFor("echo")).toEqual([credential, user, tenant, own, gatewayPart(gateway)]);
    expect(limitsFor("whoami")).toEqual([credential, user, tenant, plan.tool, gatewayPart(gateway)]);
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])(
    "K18: takes no limit from what every object has: %s",
    (tool) => {
      const usual = bucketsOf(versioned(), "echo").find(({ tier }) => tier === "tool")?.limit;
      expect(bucketsOf(versioned(), tool).find(({ tier }) => tier === "tool")?.limit).toEqual(usual);
    },
  );

  it("say what is left of each, and nothing for one that was not counted", () => {
    const buckets = bucketsOf(versioned(), null);
    expect(limitStates(buckets, [9, 8, 7]).map(({ tier, remaining }) => `${tier} ${remaining}`)).toEqual([
      "credential 9",
      "user 8",
      "tenant 7",
      "gateway 0",
    ]);
  });
});

describe("R9: what Redis is asked", () => {
  it("R9: is about the record that was decided on, by its header alone", () => {
    expect(ask()).toEqual({
      keys: [
        VERDICT,
        "mrg1:key:hash-1",
        "mrg1:epoch:t:tenant-1",
        "mrg1:epoch:u:user-1",
        VERDICT,
        VERDICT,
        VERDICT,
        ...bucketsOf(versioned(), "echo").map(({ key }) => key),
      ],
      args: [
        "0",
        "3|5|7|works||",
        "",
        "0",
        "take",
        "",
        "",
        "0",
        "",
        "",
        ...bucketsOf(versioned(), "echo").flatMap(({ limit }) => [String(limit.perMinute), String(limit.burst)]),
      ],
    });
  });

  it("R9: brings a record along when it has just been read", () => {
    expect(ask({ isFresh: true }).args[2]).toBe(recordText(versioned()));
    expect(ask({ isFresh: true, held: undefined }).args.slice(1, 3)).toEqual(["", ""]);
  });

  it("R8: is about the grants behind a token, and its proof", () => {
    const held = { ...versioned(), record: grantOf() };
    const { keys, args } = ask({
      credential: tokenClaim({ proof: PROOF, clientGrantId: "managed-1" }),
      held,
      buckets: [],
    });
    expect(keys).toEqual([
      VERDICT,
      "mrg1:grant:grant-1",
      "mrg1:epoch:t:tenant-1",
      "mrg1:epoch:u:user-1",
      VERDICT,
      VERDICT,
      "mrg1:proof:proof-1",
      "mrg1:ended:grant-1",
      "mrg1:ended:managed-1",
    ]);
    expect(args).toEqual(["2", "3|5|7|works||", "", "0", "take", "", "", "0", "90", ""]);
  });

  it("R8: names the epochs of a token's tenant and user before any record is known", () => {
    const { keys, args } = ask({ credential: tokenClaim(), held: undefined, buckets: [] });
    expect(keys.slice(1, 4)).toEqual(["mrg1:grant:grant-1", "mrg1:epoch:t:tenant-1", "mrg1:epoch:u:user-1"]);
    expect(args[1]).toBe("");
  });

  it("takes from the quota of the chain, by what Postgres knows of it", () => {
    const { keys, args } = ask({ held: versioned({ quota }) });
    expect(keys[4]).toBe("mrg1:quota:chain-1");
    expect(args.slice(5, 8)).toEqual(["10", "2027-01", "4"]);
  });

  it("R11: writes ahead into the stream of the tenant", () => {
    const { keys, args } = ask({ entry: "{}" });
    expect(keys[5]).toBe(`mrg1:audit:${auditShardOf("tenant-1")}`);
    expect(args[9]).toBe("{}");
    expect(auditShards).toContain(auditShardOf("tenant-1"));
  });

  it("J07: ends a key at a whole millisecond, and none before its time", () => {
    expect(ask({ held: versioned({ expiresAt: 1_000.2 }) }).args[3]).toBe("1001");
    expect(ask({ held: versioned({ expiresAt: null }) }).args[3]).toBe("0");
  });

  it("takes nothing for who is refused", () => {
    const { keys, args } = ask({ refusal: { kind: "not_on_list" }, buckets: [] });
    expect(args[4]).toBe("refuse");
    expect([keys.length, args.length]).toEqual([7, 10]);
  });

  it("is of the form that the script reads, whoever asks for whatever", () => {
    const claims = fc.constantFrom(
      KEY,
      tokenClaim(),
      tokenClaim({ proof: PROOF }),
      tokenClaim({ clientGrantId: "managed-1" }),
    );
    const questions = fc.record({
      credential: claims,
      held: fc.constantFrom(undefined, versioned(), versioned({ quota, expiresAt: 5 })),
      isFresh: fc.boolean(),
      refusal: fc.constantFrom(undefined, { kind: "not_on_list" as const }),
      tool: fc.constantFrom(null, "echo"),
      entry: fc.constantFrom("", "{}"),
    });
    fc.assert(
      fc.property(questions, ({ tool, ...question }) => {
        const buckets = question.held && !question.refusal ? bucketsOf(question.held, tool) : [];
        const { keys, args } = questionOf({ eventId: EVENT, ...question, buckets });
        const marks = Number(args[0]);
        expect([keys.length, args.length]).toEqual([7 + marks + buckets.length, 10 + 2 * buckets.length]);
        expect(keys.slice(7, 7 + marks).filter((key) => !key.startsWith("mrg1:ended:"))).toEqual([]);
        expect(keys.slice(7 + marks).filter((key) => !key.startsWith("mrg1:bucket:"))).toEqual([]);
        expect(keys.filter((key) => !key.startsWith("mrg1:"))).toEqual([]);
        // What the script would touch is declared for it: quota, stream and proof each when an argument turns them on.
        expect(keys[4] === VERDICT).toBe(args[5] === "");
        expect(keys[5] === VERDICT).toBe(args[9] === "");
        expect(keys[6] === VERDICT).toBe(args[8] === "");
      }),
    );
  });
});

describe("the scripts of admission", () => {
  const scripts = { ADMIT, LOCATE };

  /** The key argument of every command. */
  const commandKeys = (source: string) =>
    [...source.matchAll(/redis\.call\('([A-Z]+)'(?:, ([^,)]+))?/g)]
      .filter(([, command]) => command !== "TIME")
      .map(([, , key]) => key);

  it.each(Object.entries(scripts))("%s locks the keys that it is given, and touches no other", (_name, { source }) => {
    expect(source.startsWith("#!lua flags=allow-key-locking\n")).toBe(true);
    const keys = commandKeys(source);
    expect(keys.length).toBeGreaterThan(3);
    expect(keys.filter((key) => !/^KEYS\[(\d+|i)\]$/.test(key ?? ""))).toEqual([]);
  });

  it("ADMIT reads seven keys and ten arguments before marks and buckets, as they are given", () => {
    const numbers = (name: string) =>
      [...ADMIT.source.matchAll(new RegExp(String.raw`${name}\[(\d+)\]`, "g"))].map(([, n]) => Number(n));
    expect([...new Set(numbers("KEYS"))].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect([...new Set(numbers("ARGV"))].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("M02: refuse before they write: nothing is taken from a call that is refused", () => {
    const [before = "", after = ""] = ADMIT.source.split("if short > 0 then return");
    expect(after).toContain("'XADD'");
    expect(after).not.toContain("'quota|'");
    const written = before.slice(before.indexOf("local time =")).matchAll(/redis\.call\('(SET|XADD)', ([^,]+)/g);
    expect([...written].map(([, , key]) => key)).toEqual(["KEYS[1]"]);
  });
});

describe("where the record of a credential is kept", () => {
  it("is by the hash of the key, or by the grant of the token", () => {
    expect(recordKeyOf(KEY)).toBe("mrg1:key:hash-1");
    expect(recordKeyOf(tokenClaim())).toBe("mrg1:grant:grant-1");
  });
});
