import { Redis, type ChainableCommander } from "ioredis";
import { createKeyPrefix, type PrefixedCommand, type Reply } from "./key-prefix.ts";
import { createScripts } from "./redis-scripts.ts";

/** A command as it came over HTTP: name and arguments. */
export type Command = (string | Buffer)[];

/** The outcome of one command. */
export type Outcome = { reply: Reply } | { error: string };

/** Runs commands on one shared connection, in the order in which they are given. */
export interface CommandRunner {
  /** Each command by itself; one that fails leaves the others alone. */
  runAll(commands: Command[]): Promise<Outcome[]>;
  /** All commands in one MULTI/EXEC. Throws, with nothing executed, when one of them cannot even be queued. */
  runTransaction(commands: Command[]): Promise<Outcome[]>;
  close(): void;
}

// What Upstash does not offer over REST: the connection is not the caller's own, and may be to a developer's real
// server.
const UNAVAILABLE = new Set(
  `subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe monitor blpop brpop brpoplpush blmove blmpop bzpopmin
  bzpopmax bzmpop wait waitaof multi exec discard watch unwatch quit reset hello auth select client asking readonly readwrite
  acl bgrewriteaof bgsave cluster config debug failover lastsave latency migrate module move psync replicaof role save shutdown
  slaveof slowlog swapdb sync`.split(/\s+/),
);

/** Connects to `redisUrl`; rejects when there is no Redis. See `createKeyPrefix` for `keyPrefix`. */
export async function createCommandRunner(redisUrl: string, keyPrefix: string | undefined): Promise<CommandRunner> {
  const redis = new Redis(redisUrl, { lazyConnect: true, enableReadyCheck: false, maxRetriesPerRequest: 2 });
  redis.on("error", () => {}); // Every command reports its own failure.
  await redis.connect();
  const scripts = createScripts(keyPrefix);
  const prefix =
    keyPrefix === undefined ? (command: Command): PrefixedCommand => ({ command }) : createKeyPrefix(keyPrefix);

  function prepare(command: Command): { command: Command; finish: (reply: Reply) => Reply } {
    const name = command[0]?.toString().toLowerCase();
    if (name === undefined || name === "") throw new Error("ERR empty command");
    const blocks = /^xread(?:group)?$/.test(name) && command.some((word) => /^block$/i.test(word.toString()));
    if (UNAVAILABLE.has(name) || blocks) throw new Error(`ERR Command is not available: '${name}'`);
    const script = scripts(command);
    const sent = prefix(script.command);
    // ioredis turns the reply of a lower-case `hgetall` into an object; upper-case names come back as Redis sent them.
    const [, ...args] = sent.command;
    return {
      command: [String(sent.command[0]).toUpperCase(), ...args],
      finish: (reply) => {
        if (script.reply !== undefined && !(reply instanceof Error)) return Buffer.from(script.reply);
        return sent.strip === undefined ? reply : sent.strip(reply);
      },
    };
  }

  return {
    runAll: (commands) =>
      Promise.all(
        commands.map(async (command): Promise<Outcome> => {
          try {
            const { command: sent, finish } = prepare(command);
            return { reply: finish((await call(redis, sent)) as Reply) };
          } catch (error) {
            return { error: (error as Error).message };
          }
        }),
      ),
    async runTransaction(commands) {
      const prepared = commands.map(prepare);
      const transaction = redis.multi();
      for (const { command } of prepared) call(transaction, command);
      const outcomes = (await transaction.exec()) ?? [];
      return prepared.map(({ finish }, index) => {
        const [error, reply] = outcomes[index] ?? [new Error("ERR the transaction was discarded")];
        return error === null ? { reply: finish(reply as Reply) } : { error: error.message };
      });
    },
    close: () => redis.disconnect(),
  };
}

function call(target: Redis | ChainableCommander, [name = "", ...args]: Command): unknown {
  return target.callBuffer(String(name), ...args);
}

/**
 * A reply as Upstash puts it into JSON. With `base64`, every string is encoded except a reply that is just "OK" (the
 * client decodes an "OK" inside an array); without, it is UTF-8 with U+FFFD for what is not.
 */
export function encodeReply(reply: Reply, base64: boolean): unknown {
  return isOk(reply) ? "OK" : encode(reply, base64 ? "base64" : "utf8");
}

function isOk(reply: Reply): boolean {
  return (typeof reply === "string" || Buffer.isBuffer(reply)) && reply.toString() === "OK";
}

function encode(reply: Reply, encoding: "base64" | "utf8"): unknown {
  if (Array.isArray(reply)) return reply.map((element) => encode(element, encoding));
  if (reply instanceof Error) return Buffer.from(reply.message).toString(encoding);
  if (typeof reply === "bigint") return Number(reply);
  if (reply === null || typeof reply === "number") return reply;
  return (typeof reply === "string" ? Buffer.from(reply) : reply).toString(encoding);
}
