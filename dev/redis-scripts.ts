import { createHash } from "node:crypto";
import { KEY_RULES } from "./redis-keys.ts";

/**
 * Upstash's flag for scripts that lock only the keys in KEYS instead of the whole database. Redis itself does not know
 * it. Source: upstash.com/docs/redis/features/key-locking.
 */
const FLAG_LINE = /^#![^\n]*\ballow-key-locking\b[^\n]*/;
const SUPPORTED_LINE = /^#!lua\s+flags=allow-key-locking\s*$/;

/** The result of `createScripts` for a command: what to send to Redis instead, and the reply to give. */
interface ScriptCommand {
  command: (string | Buffer)[];
  reply?: string;
}

/**
 * Lets a Redis without Upstash's `#!lua flags=allow-key-locking` run scripts that start with it, and refuse what
 * Upstash refuses: a key that is not in KEYS, and commands on the whole database. The line is replaced by a prelude
 * that checks each call, on the same line so that line numbers stay. EVALSHA, SCRIPT LOAD and SCRIPT EXISTS know such a
 * script by the SHA-1 of what the client sent. Scripts without the flag go through unchanged. `channelPrefix` is put
 * before the channel of every PUBLISH in a flagged script. The returned function throws for a flag line that it cannot
 * honour.
 */
export function createScripts(channelPrefix = ""): (command: (string | Buffer)[]) => ScriptCommand {
  const prelude = checker(channelPrefix);
  const substitutes = new Map<string, string>(); // SHA-1 of what the client sent → SHA-1 of what Redis got.

  function substitute(source: string): string {
    const line = FLAG_LINE.exec(source)?.[0];
    if (line === undefined) return source;
    if (!SUPPORTED_LINE.test(line)) {
      throw new Error(
        `ERR the local endpoint only understands the script line '#!lua flags=allow-key-locking', not '${line}'`,
      );
    }
    const body = prelude + source.slice(line.length);
    substitutes.set(sha1(source), sha1(body));
    return body;
  }

  return (command) => {
    const [name = "", second = "", third = ""] = command.slice(0, 3).map(String);
    switch (`${name} ${name.toLowerCase() === "script" ? second : ""}`.trim().toLowerCase()) {
      case "eval":
      case "eval_ro":
        return { command: [name, substitute(second), ...command.slice(2)] };
      case "evalsha":
      case "evalsha_ro":
        return { command: [name, substitutes.get(second.toLowerCase()) ?? second, ...command.slice(2)] };
      case "script load": {
        const body = substitute(third);
        return body === third ? { command } : { command: [name, second, body], reply: sha1(third) };
      }
      case "script exists":
        return { command: [name, second, ...command.slice(2).map((sha) => substitutes.get(String(sha)) ?? sha)] };
      default:
        return { command };
    }
  };
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/** One line of Lua that hides `redis` behind a table whose `call` and `pcall` check their keys. */
function checker(channelPrefix: string): string {
  const groups = KEY_RULES.map(({ rule, commands }) => {
    const fields = [`" ${commands.trim().replaceAll(/\s+/g, " ")} "`, `fixed={${rule.fixed.join(",")}}`];
    if (rule.rest !== undefined) fields.push(`from=${rule.rest.from},step=${rule.rest.step}`);
    if (rule.countAt !== undefined) fields.push(`countAt=${rule.countAt}`);
    if (rule.streams) fields.push("streams=true");
    if (rule.database) fields.push("database=true");
    return `{${fields.join(",")}}`;
  });
  return CHECKER.replace("GROUPS", () => groups.join(","))
    .replace("CHANNEL_PREFIX", () => JSON.stringify(channelPrefix))
    .replaceAll(/\s*\n\s*/g, " ")
    .trim();
}

// Errors are strings at level 0: both Redis 7 and the embedded Redis then answer "ERR " and the string.
const CHECKER = `
local redis = (function(redis)
  local groups, rules, declared = {GROUPS}, {}, {}
  for i = 1, #KEYS do declared[KEYS[i]] = true end
  local function ruleOf(name)
    if not rules[name] then
      for i = 1, #groups do
        if string.find(groups[i][1], " " .. name .. " ", 1, true) then rules[name] = groups[i] end
      end
    end
    return rules[name] or error("the key checker of the local endpoint does not know the command '" .. name .. "': add it to KEY_RULES in dev/redis-keys.ts", 0)
  end
  local function need(key)
    if key ~= nil and not declared[tostring(key)] then
      error("script accessed undeclared key '" .. tostring(key) .. "': with allow-key-locking every key must be passed in KEYS", 0)
    end
  end
  local function check(command, ...)
    local name = string.lower(tostring(command))
    local rule, args, n = ruleOf(name), {...}, select("#", ...)
    if rule.database then error("script with allow-key-locking may not call '" .. name .. "', which needs the whole database", 0) end
    for i = 1, #rule.fixed do need(args[rule.fixed[i]]) end
    if rule.from then for i = rule.from, n, rule.step do need(args[i]) end end
    if rule.countAt then for i = rule.countAt + 1, rule.countAt + (tonumber(args[rule.countAt]) or 0) do need(args[i]) end end
    if rule.streams then
      for i = 1, n do
        if string.lower(tostring(args[i])) == "streams" then
          for k = i + 1, i + math.floor((n - i) / 2) do need(args[k]) end
          break
        end
      end
    end
    if name == "publish" and args[1] ~= nil then args[1] = CHANNEL_PREFIX .. tostring(args[1]) end
    return command, unpack(args, 1, n)
  end
  return setmetatable({
    call = function(...) return redis.call(check(...)) end,
    pcall = function(...) return redis.pcall(check(...)) end
  }, {__index = redis})
end)(redis)`;
