import { eq, sql, type SQL } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { user as userTable } from "../../src/auth/schema.ts";
import type { Scope } from "../../src/auth/scopes.ts";
import { endGrant } from "../../src/grants/revocation.ts";
import { connectRedis, redisKeys } from "../../src/platform/redis.ts";
import { redisScript } from "../../src/platform/redis-script.ts";
import {
  forget,
  forgetRecord,
  newHolders,
  publish,
  runScript,
  tokenSigner,
  type Holder,
} from "../support/admission.ts";
import { callTool, config, db, eventually, rpc, type RpcAnswer, type RpcOptions } from "../support/gateway.ts";
import { newClient } from "../support/oauth.ts";

/** For each kind of change that is told apart; what goes the same way as one of those is tried less often. */
const TRIALS = 200;
const FEWER = 40;
/** So many at a time, like so many isolates: each publishes what it finds of the others' changes, too. */
const AT_ONCE = 20;
const TIME = { timeout: 120_000 };

/** Something that a change must stop or alter. */
interface Subject extends Holder {
  grantId: string;
  credential: Pick<RpcOptions, "key" | "token">;
  forget: () => Promise<unknown>;
}

/** A change, and how the next call shows that it is in force. */
interface Change {
  call: (subject: Subject) => Promise<RpcAnswer>;
  apply: (subject: Subject) => Promise<unknown>;
  isInForce: (answer: RpcAnswer) => boolean;
  trials?: number;
  /** Makes subjects of people whom the change can hit. */
  prepare?: (people: Holder[]) => Promise<Holder[]>;
}

const PING = redisScript("return redis.call('PING')");

interface Seen {
  /** What the call that was under way during the change saw. */
  racing: boolean;
  /** What the call right after the change saw, and one after the other had ended. */
  next: boolean;
  last: boolean;
}

/**
 * One change while a call is under way that has to read Postgres, begun up to four round trips before: it may read before the change and
 * come to write what it read after it. Every other call is by an isolate that holds the record.
 */
async function trial({ call, apply, isInForce }: Change, subject: Subject, n: number): Promise<Seen> {
  if (n % 2 === 0) {
    if (isInForce(await call(subject))) throw new Error("it was so before, or nothing works");
    await subject.forget();
  }
  const racing = call(subject);
  for (let trips = Math.floor(n / 2) % 5; trips > 0; trips--) await runScript(PING, [], []);
  await apply(subject);
  await publish();
  const next = isInForce(await call(subject));
  return { racing: isInForce(await racing), next, last: isInForce(await call(subject)) };
}

const trialsFor = ({ trials = TRIALS }: Change) => trials;

/** New people, as the change needs them. */
async function peopleFor(change: Change, scopes: readonly Scope[]): Promise<Holder[]> {
  const people = await newHolders(trialsFor(change), scopes);
  return change.prepare ? change.prepare(people) : people;
}

async function trialsOf(change: Change, subjects: readonly Subject[]): Promise<Seen[]> {
  const waiting = subjects.entries();
  const seen: Seen[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const [n, subject] of waiting) seen.push(await trial(change, subject, n));
    }),
  );
  return seen;
}

async function expectAlwaysFresh(change: Change, subjects: readonly Subject[]): Promise<void> {
  const seen = await trialsOf(change, subjects);
  expect(seen).toHaveLength(trialsFor(change));
  expect(seen.filter(({ next }) => !next).length, "next calls that saw what was before").toBe(0);
  expect(seen.filter(({ last }) => !last).length, "later calls that saw what was before").toBe(0);
  expect(seen.filter(({ racing }) => !racing).length, "calls that raced the change and came before it").toBeGreaterThan(
    0,
  );
}

const run = (statement: (subject: Subject) => SQL) => (subject: Subject) => db.execute(statement(subject));
const echo = ({ credential }: Subject) => callTool("echo", { text: "x" }, credential);
const whoami = ({ credential }: Subject) => callTool("whoami", {}, credential);

const isRefused = ({ status, error }: RpcAnswer) => status === 401 && error?.data?.["code"] === "invalid_credential";
const refusedAs =
  (code: string) =>
  ({ error }: RpcAnswer) =>
    error?.data?.["code"] === code;
const hasPolicy =
  (text: string) =>
  ({ response }: RpcAnswer) =>
    (response.headers.get("ratelimit-policy") ?? "").includes(text);

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
const hasNoAdmin = ({ result }: RpcAnswer) =>
  Array.isArray(result?.structuredContent?.["scopes"]) && !result.structuredContent["scopes"].includes("admin");

async function administrators<S extends Holder>(subjects: S[]): Promise<S[]> {
  await db.update(userTable).set({ role: "admin" }).where(among(subjects));
  await publish();
  return subjects;
}

const among = (subjects: readonly Holder[]) =>
  sql`${userTable.id} = any(${sql.param(subjects.map(({ userId }) => userId))}::text[])`;

/** Everybody in one team instead of the personal tenant, with the key too. */
async function inTeam<S extends Holder>(subjects: S[]): Promise<S[]> {
  const team = `team-${crypto.randomUUID()}`;
  await db.execute(
    sql`insert into organization (id, name, slug, created_at) values (${team}, 'Example team', ${team}, now() at time zone 'utc')`,
  );
  await db.execute(sql`insert into member (id, organization_id, user_id, role, created_at)
    select ${team} || id, ${team}, id, 'member', now() at time zone 'utc' from "user" where ${among(subjects)}`);
  await db.execute(
    sql`update api_key_policy set tenant_id = ${team} where key_id = any(${sql.param(subjects.map(({ keyId }) => keyId))}::text[])`,
  );
  await publish();
  return subjects.map((subject) => ({ ...subject, tenantId: team }));
}

describe("a change is in force at the next call with a key", () => {
  const withKey = (people: Holder[]): Subject[] =>
    people.map((holder) => ({
      ...holder,
      grantId: "",
      credential: { key: holder.key },
      forget: () => forgetRecord(holder.key),
    }));

  const every = { path: "/mcp/every" };
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
      { call: echo, apply: policy(sql`tools = '{whoami}'`), trials: FEWER, isInForce: refusedAs("not_on_list") },
    ],
    [
      "held to servers",
      {
        call: ({ credential }) => rpc("tools/list", {}, { ...credential, ...every }),
        apply: policy(sql`servers = '{notes}'`),
        trials: FEWER,
        isInForce: refusedAs("not_on_list"),
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
        isInForce: refusedAs("quota_used_up"),
      },
    ],
    ["of a tenant with new limits", { call: echo, apply: tenantLimits, isInForce: hasPolicy('"tenant";q=7;w=7') }],
    [
      "of somebody who is no administrator any more",
      { call: whoami, apply: demotion, isInForce: hasNoAdmin, prepare: administrators },
    ],
    ["of somebody who has left the team", { call: echo, apply: leaving, isInForce: isRefused, prepare: inTeam }],
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
        return { ...holder, grantId, credential: { token }, forget: () => forget(redisKeys.grantRecord(grantId)) };
      }),
    );

  beforeAll(async () => {
    clientId = await newClient();
    sign = await tokenSigner();
    const [subject] = await withToken(await newHolders(1, []));
    // The Worker asks for signing keys that it does not know every five seconds at most.
    await eventually(async () => (subject && (await whoami(subject)).status === 200 ? true : undefined));
  });

  const grants = { db, redis: connectRedis(config), accessTokenSeconds: config.ACCESS_TOKEN_TTL };
  const changes: [what: string, change: Change][] = [
    ["of a grant that ended", { call: echo, apply: ({ grantId }) => endGrant(grants, grantId), isInForce: isRefused }],
    ["of somebody who is banned", { call: echo, apply: ban, isInForce: isRefused }],
    ["of somebody who has left the team", { call: echo, apply: leaving, isInForce: isRefused, prepare: inTeam }],
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
