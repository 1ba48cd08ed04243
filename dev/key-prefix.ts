import { keyIndices, keyRule } from "./redis-keys.ts";

/** A Redis reply as it comes from the wire: bulk strings are buffers. */
export type Reply = null | number | bigint | string | Buffer | Error | Reply[];

/** A command with the prefix in it, and what takes the prefix out of its reply again. */
export interface PrefixedCommand {
  command: (string | Buffer)[];
  strip?: (reply: Reply) => Reply;
}

const FLUSH =
  "local keys = redis.call('KEYS', ARGV[1]) for i = 1, #keys do redis.call('UNLINK', keys[i]) end return redis.status_reply('OK')";
const COUNT = "return #redis.call('KEYS', ARGV[1])";

/**
 * Puts `prefix` before every key and channel of a command, so that several stacks share one Redis without seeing each
 * other; KEYS and SCAN see, FLUSHDB and FLUSHALL remove and DBSIZE counts only what carries it. KEYS in a script are
 * the prefixed ones. Throws for a command whose keys are unknown. `prefix` is made of letters, digits and `_ - : . {
 * }`.
 */
export function createKeyPrefix(prefix: string): (command: (string | Buffer)[]) => PrefixedCommand {
  if (!/^[\w:.{}-]+$/.test(prefix)) throw new Error(`key prefix "${prefix}": use letters, digits and _ - : . { }`);
  const add = (name: string | Buffer) =>
    typeof name === "string" ? prefix + name : Buffer.concat([Buffer.from(prefix), name]);
  const without = (reply: Reply): Reply =>
    Buffer.isBuffer(reply) && reply.toString("latin1").startsWith(prefix) ? reply.subarray(prefix.length) : reply;

  return (command) => {
    const [name = "", ...args] = command;
    const rule = keyRule(name.toString());
    switch (name.toString().toLowerCase()) {
      case "publish":
        return { command: [name, ...args.slice(0, 1).map(add), ...args.slice(1)] };
      case "keys":
        return { command: [name, ...args.map(add)], strip: (reply) => mapArray(reply, without) };
      case "scan":
        return {
          command: [name, ...scanArguments(args, prefix)],
          strip: (reply) => mapSecond(reply, (keys) => mapArray(keys, without)),
        };
      case "flushall":
      case "flushdb":
        return { command: ["EVAL", FLUSH, "0", `${prefix}*`] };
      case "dbsize":
        return { command: ["EVAL", COUNT, "0", `${prefix}*`] };
      case "xread":
      case "xreadgroup":
        return {
          command: prefixed(command, add),
          strip: (reply) => mapArray(reply, (stream) => mapFirst(stream, without)),
        };
      case "lmpop":
      case "zmpop":
        return { command: prefixed(command, add), strip: (reply) => mapFirst(reply, without) };
      default:
        if (rule === undefined || rule.database) {
          throw new Error(
            `ERR '${name.toString()}' cannot be confined to a key prefix: add it to KEY_RULES in dev/redis-keys.ts`,
          );
        }
        return { command: prefixed(command, add) };
    }
  };
}

function prefixed(command: (string | Buffer)[], add: (key: string | Buffer) => string | Buffer): (string | Buffer)[] {
  const rule = keyRule(String(command[0]));
  const indices = new Set(rule === undefined ? [] : keyIndices(rule, command));
  return command.map((word, index) => (indices.has(index) ? add(word) : word));
}

function scanArguments(args: (string | Buffer)[], prefix: string): (string | Buffer)[] {
  const match = args.findIndex((word, index) => index > 0 && word.toString().toLowerCase() === "match");
  if (match < 0) return [...args, "MATCH", `${prefix}*`];
  return args.map((word, index) => (index === match + 1 ? prefix + word.toString() : word));
}

function mapArray(reply: Reply, change: (element: Reply) => Reply): Reply {
  return Array.isArray(reply) ? reply.map(change) : reply;
}

function mapFirst(reply: Reply, change: (element: Reply) => Reply): Reply {
  return Array.isArray(reply) ? reply.map((element, index) => (index === 0 ? change(element) : element)) : reply;
}

function mapSecond(reply: Reply, change: (element: Reply) => Reply): Reply {
  return Array.isArray(reply) ? reply.map((element, index) => (index === 1 ? change(element) : element)) : reply;
}
