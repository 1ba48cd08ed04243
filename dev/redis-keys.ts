/** Where the keys of a command are among its arguments; positions count from 1, the first argument after the name. */
export interface KeyRule {
  /** Positions of single keys. */
  fixed: number[];
  /** Every `step`th argument from `from` to the end. */
  rest?: { from: number; step: number };
  /** The position of a number that says how many keys follow it. */
  countAt?: number;
  /** The first half of what follows the word STREAMS. */
  streams?: true;
  /** Works on the whole database, whatever its arguments. */
  database?: true;
}

/**
 * Commands grouped by where their keys are. A command that is in none is unknown: add it to the group it belongs to.
 */
export const KEY_RULES: readonly { rule: KeyRule; commands: string }[] = [
  {
    rule: { fixed: [1] },
    commands: `
      append bitcount bitfield bitfield_ro bitpos decr decrby get getbit getdel getex getrange getset incr incrby incrbyfloat
      psetex set setbit setex setnx setrange strlen substr
      dump expire expireat expiretime persist pexpire pexpireat pexpiretime pttl restore ttl type
      hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset hpersist
      hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx hstrlen httl hvals
      lindex linsert llen lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpush rpushx
      sadd scard sismember smembers smismember spop srandmember srem sscan
      zadd zcard zcount zincrby zlexcount zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrank zrem
      zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore
      geoadd geodist geohash geopos geosearch pfadd
      xack xadd xautoclaim xclaim xdel xlen xpending xrange xrevrange xsetid xtrim`,
  },
  { rule: { fixed: [2] }, commands: "object xgroup xinfo" },
  { rule: { fixed: [1, 2] }, commands: "copy geosearchstore lmove rename renamenx rpoplpush smove zrangestore" },
  {
    rule: { fixed: [], rest: { from: 1, step: 1 } },
    commands: "del exists mget pfcount pfmerge sdiff sdiffstore sinter sinterstore sunion sunionstore touch unlink",
  },
  { rule: { fixed: [], rest: { from: 1, step: 2 } }, commands: "mset msetnx" },
  { rule: { fixed: [], rest: { from: 2, step: 1 } }, commands: "bitop" },
  { rule: { fixed: [], countAt: 1 }, commands: "lmpop sintercard zdiff zinter zintercard zmpop zunion" },
  { rule: { fixed: [], countAt: 2 }, commands: "eval eval_ro evalsha evalsha_ro fcall fcall_ro" },
  { rule: { fixed: [1], countAt: 2 }, commands: "zdiffstore zinterstore zunionstore" },
  { rule: { fixed: [], streams: true }, commands: "xread xreadgroup" },
  { rule: { fixed: [] }, commands: "echo ping publish script time" },
  { rule: { fixed: [], database: true }, commands: "dbsize flushall flushdb keys randomkey scan" },
];

const RULES = new Map(
  KEY_RULES.flatMap(({ rule, commands }) =>
    commands
      .trim()
      .split(/\s+/)
      .map((name) => [name, rule] as const),
  ),
);

/** The rule of a command (any case); undefined when `KEY_RULES` lacks it. */
export function keyRule(command: string): KeyRule | undefined {
  return RULES.get(command.toLowerCase());
}

/** The indices in `command` (index 0 is the name) that hold keys, as `rule` says. */
export function keyIndices(rule: KeyRule, command: readonly (string | Buffer)[]): number[] {
  const indices = rule.fixed.filter((index) => index < command.length);
  if (rule.rest !== undefined) {
    for (let index = rule.rest.from; index < command.length; index += rule.rest.step) indices.push(index);
  }
  if (rule.countAt !== undefined) {
    const last = Math.min(rule.countAt + Number(command[rule.countAt]), command.length - 1);
    for (let index = rule.countAt + 1; index <= last; index++) indices.push(index);
  }
  if (rule.streams) {
    const first = command.findIndex((word) => word.toString().toLowerCase() === "streams") + 1;
    if (first > 0) {
      const count = Math.floor((command.length - first) / 2);
      for (let index = first; index < first + count; index++) indices.push(index);
    }
  }
  return indices;
}
