import { eq, sql, type SQL } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { user as userTable } from "../../../src/identity/schema.ts";
import type { Scope } from "../../../src/identity/scopes.ts";
import { endGrant } from "../../../src/grants/revocation.ts";
import { within } from "../../../src/platform/deadline.ts";
import { connectRedis, redisKeys } from "../../../src/platform/redis/redis.ts";
import { forget, forgetRecord, newHolders, publish, tokenSigner, type Holder } from "../../support/admission.ts";
import type { Send } from "../../support/browsing.ts";
import { config, db, eventually, request } from "../../support/gateway.ts";
import { gatewayWith, newClient } from "../../support/oauth.ts";

/** For each kind of change that is told apart; what goes the same way as one of those is tried less often. */
const TRIALS = 200;
const FEWER = 40;
/** So many at a time: each publishes what it finds of the others' changes, too. */
const AT_ONCE = 20;
/** Hundreds of trials: minutes on a busy machine. */
const TIME = { timeout: 900_000 };

/** Something that a change must stop or alter. */
interface Subject extends Holder {
  /** The id in the record of the key or the grant. */
  recordId: string;
  credential: Record<string, string>;
  forget: () => Promise<unknown>;
}

interface Answer {
  status: number;
  limits: string;
  error?: { data?: Record<string, unknown> };
  result?: { structuredContent?: Record<string, unknown> };
}

interface Message {
  method: string;
  params: Record<string, unknown>;
  path?: string;
}

/** A change, and how the next call shows that it is in force. */
interface Change {
  call: Message;
  apply: (subject: Subject) => Promise<unknown>;
  isInForce: (answer: Answer) => boolean;
  trials?: number;
  /** Makes subjects of people whom the change can hit. */
  prepare?: (people: Holder[]) => Promise<Holder[]>;
}

async function ask(isolate: Send, { call }: Pick<Change, "call">, { credential }: Subject): Promise<Answer> {
  const { path = "/mcp", ...message } = call;
  const headers = { "content-type": "application/json", accept: "application/json", ...credential };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, ...message });
  const response = await isolate(path, { method: "POST", headers, body });
  const limits = response.headers.get("ratelimit-policy") ?? "";
  return { status: response.status, limits, ...(await response.json<Pick<Answer, "error" | "result">>()) };
}

/** Another isolate than the one that the stories usually ask. */
const elsewhere = gatewayWith({});
/** Calls that have read a record in Postgres and are kept from going on with it, by what it is the record of. */
const held = new Map<string, { reached: () => void; released: Promise<void> }>();

beforeAll(() => {
  const send = globalThis.fetch;
  vi.stubGlobal("fetch", async (url: RequestInfo, init?: RequestInit) => {
    // The script that keeps the record in Redis gets it as JSON. Statements to Postgres, which name ids too, are none of ours.
    const id =
      typeof init?.body === "string" && init.body.startsWith("[")
        ? /\\"id\\":\\"([\w-]+)\\"/.exec(init.body)?.[1]
        : undefined;
    const hold = id === undefined ? undefined : held.get(id);
    if (id === undefined || !hold) return send(url, init);
    held.delete(id);
    hold.reached();
    await hold.released;
    // However long it was held, Redis has not been slow; but an answer that is lost must not be waited for.
    return within(10_000, (signal) => send(url, { ...init, signal }));
  });
});
afterAll(() => vi.unstubAllGlobals());

/** Whether a change was in force for three calls. */
interface Seen {
  /** The one that had read the record before the change, and goes on with it after the change. */
  racing: boolean;
  /** The one right after the change, and one after both. */
  next: boolean;
  last: boolean;
}

/**
 * One change between the time at which an isolate reads a record and the time at which it uses and keeps it. Every other subject is known
 * to the isolate that is asked next; in every other pair what was read comes to Redis before the next call, else after it.
 */
async function trial(change: Change, subject: Subject, n: number): Promise<Seen> {
  const { apply, isInForce } = change;
  if (n % 2 === 0) {
    if (isInForce(await ask(request, change, subject))) throw new Error("it was so before, or nothing works");
    await subject.forget();
  }
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  held.set(subject.recordId, { reached: reached.resolve, released: released.promise });
  const racing = ask(elsewhere, change, subject);
  await Promise.race([reached.promise, racing]);
  if (held.delete(subject.recordId)) throw new Error("it had no need to read the record");
  await apply(subject);
  await publish();
  if (n % 4 < 2) {
    released.resolve();
    await racing;
  }
  const next = isInForce(await ask(request, change, subject));
  released.resolve();
  return { racing: isInForce(await racing), next, last: isInForce(await ask(elsewhere, change, subject)) };
}

const trialsFor = ({ trials = TRIALS }: Change) => trials;

/** New people, as the change needs them. */
async function peopleFor(change: Change, scopes: readonly Scope[]): Promise<Holder[]> {
  const people = await newHolders(trialsFor(change), scopes);
  return change.prepare ? change.prepare(people) : people;
}

async function expectAlwaysFresh(change: Change, subjects: readonly Subject[]): Promise<void> {
  const waiting = subjects.entries();
  const seen: Seen[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const [n, subject] of waiting) seen.push(await trial(change, subject, n));
    }),
  );
  expect(seen).toHaveLength(trialsFor(change));
  const stale = (what: keyof Seen) => seen.filter((one) => !one[what]).length;
  expect({ next: stale("next"), racing: stale("racing"), last: stale("last") }).toEqual({
    next: 0,
    racing: 0,
    last: 0,
  });
}

const run = (statement: (subject: Subject) => SQL) => (subject: Subject) => db.execute(statement(subject));
const echo = { method: "tools/call", params: { name: "echo", arguments: { text: "x" } } };
const whoami = { method: "tools/call", params: { name: "whoami", arguments: {} } };

const isRefused = ({ status, error }: Answer) => status === 401 && error?.data?.["code"] === "invalid_credential";
const refusedAs =
  (code: string) =>
  ({ error }: Answer) =>
    error?.data?.["code"] === code;
const hasPolicy =
  (text: string) =>
  ({ limits }: Answer) =>
    limits.includes(text);

const policy = (set: SQL) => run(({ keyId }) => sql`update api_key_policy set ${set} where key_id = ${keyId}`);
const apikey = (set: SQL) => run(({ keyId }) => sql`update apikey set ${set} where id = ${keyId}`);
const person = (set: SQL) => run(({ userId }) => sql`update "user" set ${set} where id = ${userId}`);
const leaving = run(
  ({ userId, tenantId }) => sql`delete from member where user_id = ${userId} and organization_id = ${tenantId}`,
);
const tenantLimits = run(
  ({ tenantId }) => sql`insert into tenant_policy values (${tenantId}, '{"tenant": {"perMinute": 60, "burst": 7}}')`,
);
const ban = person(sql`banned = true`);
const demotion = person(sql`role = 'user'`);
const hasNoAdmin = ({ result }: Answer) =>
  Array.isArray(result?.structuredContent?.["scopes"]) && !result.structuredContent["scopes"].includes("admin");

async function administrators<S extends Holder>(subjects: S[]): Promise<S[]> {
  await db.update(userTable).set({ role: "admin" }).where(among(subjects));
  await publish();
  return subjects;
}

const among = (subjects: readonly Holder[]) =>
  sql`${userTable.id} = any(${sql.param(subjects.map(({ userId }) => userId))}::text[])`;

/** Everybody in one organization instead of the personal tenant, with the key too. */
async function inOrganization<S extends Holder>(subjects: S[]): Promise<S[]> {
  const organization = `organization-${crypto.randomUUID()}`;
  await db.execute(
    sql`insert into organization (id, name, slug, created_at) values (${organization}, 'Example organization', ${organization}, now() at time zone 'utc')`,
  );
  await db.execute(sql`insert into member (id, organization_id, user_id, role, created_at)
    select ${organization} || id, ${organization}, id, 'member', now() at time zone 'utc' from "user" where ${among(subjects)}`);
  await db.execute(
    sql`update api_key_policy set tenant_id = ${organization} where key_id = any(${sql.param(subjects.map(({ keyId }) => keyId))}::text[])`,
  );
  await publish();
  return subjects.map((subject) => ({ ...subject, tenantId: organization }));
}

describe("a change is in force at the next call with a key", () => {
  const withKey = (people: Holder[]): Subject[] =>
    people.map((holder) => ({
      ...holder,
      recordId: holder.keyId,
      credential: { "x-api-key": holder.key },
      forget: () => forgetRecord(holder.key),
    }));

  const changes: [what: string, change: Change][] = [
    ["revoked", { call: echo, apply: policy(sql`revoked_at = now()`), isInForce: isRefused }],
    ["disabled", { call: echo, apply: apikey(sql`enabled = false`), isInForce: isRefused }],
    [
      "deleted",
      {
        call: echo,
        apply: run(({ keyId }) => sql`delete from apikey where id = ${keyId}`),
        trials: FEWER,
        isInForce: isRefused,
      },
    ],
    [
      "expired before its time",
      {
        call: echo,
        apply: apikey(sql`expires_at = now() at time zone 'utc' - interval '1 second'`),
        isInForce: isRefused,
      },
    ],
    [
      "locked",
      {
        call: echo,
        apply: policy(sql`disabled_until = now() + interval '1 hour'`),
        trials: FEWER,
        isInForce: isRefused,
      },
    ],
    [
      "held to addresses",
      { call: echo, apply: policy(sql`addresses = '{192.0.2.1}'`), isInForce: refusedAs("address_not_allowed") },
    ],
    [
      "held to tools",
      { call: echo, apply: policy(sql`tools = '{whoami}'`), trials: FEWER, isInForce: refusedAs("unknown_tool") },
    ],
    [
      "held to servers",
      {
        call: { method: "tools/list", params: {}, path: "/mcp/every" },
        apply: policy(sql`servers = '{notes}'`),
        trials: FEWER,
        // Who is let in and has no such server is told how the limits stand; who is not, is told nothing.
        isInForce: ({ error, limits }) => error?.data?.["code"] === "unknown_server" && limits === "",
      },
    ],
    [
      "given fewer scopes",
      {
        call: echo,
        apply: apikey(sql`permissions = '{"audit":["read"]}'`),
        trials: FEWER,
        isInForce: refusedAs("insufficient_scope"),
      },
    ],
    [
      "given a lower rate",
      { call: echo, apply: policy(sql`per_minute = 60, burst = 7`), isInForce: hasPolicy('"credential";q=7;w=7') },
    ],
    [
      "given a lower quota",
      {
        call: echo,
        apply: policy(sql`quota_max = 0, quota_period = 'total'`),
        trials: FEWER,
        isInForce: refusedAs("quota_exceeded"),
      },
    ],
    ["of a tenant with new limits", { call: echo, apply: tenantLimits, isInForce: hasPolicy('"tenant";q=7;w=7') }],
    [
      "of somebody who is no administrator any more",
      { call: whoami, apply: demotion, isInForce: hasNoAdmin, prepare: administrators },
    ],
    [
      "of somebody who has left the organization",
      { call: echo, apply: leaving, isInForce: isRefused, prepare: inOrganization },
    ],
    ["of somebody who is banned", { call: echo, apply: ban, isInForce: isRefused }],
  ];

  it.each(changes)("R9: J07: %s, in every trial", TIME, async (_what, change) => {
    await expectAlwaysFresh(change, withKey(await peopleFor(change, ["mcp:tools", "admin"])));
  });
});

describe("a change is in force at the next call with a token", () => {
  let sign: Awaited<ReturnType<typeof tokenSigner>>;
  let clientId: string;

  const withToken = async (people: Holder[]): Promise<Subject[]> =>
    Promise.all(
      people.map(async (holder) => {
        const grantId = crypto.randomUUID();
        const token = await sign({ ...holder, clientId, grantId, scope: "mcp:tools admin" });
        return {
          ...holder,
          recordId: grantId,
          credential: { authorization: `Bearer ${token}` },
          forget: () => forget(redisKeys.grantRecord(grantId)),
        };
      }),
    );

  beforeAll(async () => {
    clientId = await newClient();
    sign = await tokenSigner();
    const [subject] = await withToken(await newHolders(1, []));
    // An isolate asks for signing keys that it does not know every five seconds at most.
    for (const isolate of [request, elsewhere]) {
      await eventually(async () =>
        subject && (await ask(isolate, { call: whoami }, subject)).status === 200 ? true : undefined,
      );
    }
  });

  const grants = { db, redis: connectRedis(config), accessTokenSeconds: config.ACCESS_TOKEN_TTL };
  const changes: [what: string, change: Change][] = [
    [
      "of a grant that ended",
      { call: echo, apply: ({ recordId }) => endGrant(grants, recordId), isInForce: isRefused },
    ],
    ["of somebody who is banned", { call: echo, apply: ban, isInForce: isRefused }],
    [
      "of somebody who has left the organization",
      { call: echo, apply: leaving, isInForce: isRefused, prepare: inOrganization },
    ],
    [
      "of somebody who is no administrator any more",
      { call: whoami, apply: demotion, isInForce: hasNoAdmin, prepare: administrators },
    ],
    [
      "of somebody whose account is deleted",
      {
        call: echo,
        apply: ({ userId }) => db.delete(userTable).where(eq(userTable.id, userId)),
        trials: FEWER,
        isInForce: isRefused,
      },
    ],
    ["of a tenant with new limits", { call: echo, apply: tenantLimits, isInForce: hasPolicy('"tenant";q=7;w=7') }],
  ];

  it.each(changes)("R9: R8: %s, in every trial", TIME, async (_what, change) => {
    await expectAlwaysFresh(change, await withToken(await peopleFor(change, [])));
  });
});
