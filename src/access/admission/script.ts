import { EPOCH_SECONDS, RECORD_SECONDS } from "../../platform/outbox.ts";
import { redisScript } from "../../platform/redis/script.ts";
import { UNITS } from "../../limits/bucket.ts";

const UNKNOWN_SECONDS = 5;
/** For how long a repeated event id gets the first verdict. */
const VERDICT_SECONDS = 60;
const QUOTA_SECONDS = 40 * 86_400;
/** For how long an address is blocked once it has used up its guesses. */
const SHUT_OUT_MS = 60_000;

/**
 * Decides about one call, all or nothing. The caller has decided on a record that it holds. The script checks that this
 * record is the current one; if so, it takes from quota and buckets and appends the audit entry. Time is that of Redis,
 * never of an isolate.
 *
 * KEYS: 1 verdict, 2 record, 3 tenant's epoch, 4 user's epoch, 5 quota, 6 audit stream, 7 proof, then marks of ended
 * grants, then buckets.
 * ARGV: 1 number of marks, 2 header of the record held, 3 record to store, or '', 4 expiry (ms, 0: none), 5 `take` or
 * `refuse`, 6 quota, or '', 7 its period, 8 calls used according to Postgres, 9 seconds to remember the proof, or '',
 * 10 audit entry, or '', then `perMinute`, `burst` of each bucket.
 *
 * Answers `{state, text}`: `ended`, `dead`, `unknown`, `miss` (read Postgres), `stale` (read Postgres again: the record
 * was read before a change), `record` (the text is the current record), `expired`, `current` (the answer to `refuse`),
 * `replayed` (the proof was used before), `verdict`.
 * A verdict is `ok|remaining,…|quota used|stream id`, `rate_limited|bucket|retry ms`, or `quota|used`.
 */
export const ADMIT = redisScript(`
local marks = tonumber(ARGV[1])
for i = 8, 7 + marks do
  if redis.call('EXISTS', KEYS[i]) == 1 then return {'ended', ''} end
end
local held = ARGV[2]
local state = redis.call('MGET', KEYS[2], KEYS[3], KEYS[4], KEYS[1])
local record, tenantEpoch, userEpoch, verdict = state[1], state[2], state[3], state[4]
if ARGV[3] ~= '' then
  local known = record and tonumber(string.match(record, '^%d+')) or -1
  local version, te, ue = string.match(held, '^(%d+)|(%d+)|(%d+)|')
  if known > tonumber(version) then
    if string.match(record, '^%d+|dead$') then return {'dead', ''} end
    if not string.match(record, '^%d+|%d+|%d+|') then return {'stale', ''} end
  else
    if tenantEpoch and tonumber(tenantEpoch) > tonumber(te) then return {'stale', ''} end
    if userEpoch and tonumber(userEpoch) > tonumber(ue) then return {'stale', ''} end
    redis.call('SET', KEYS[3], te, 'EX', ${EPOCH_SECONDS})
    redis.call('SET', KEYS[4], ue, 'EX', ${EPOCH_SECONDS})
    redis.call('SET', KEYS[2], ARGV[3], 'EX', ${RECORD_SECONDS})
    record, tenantEpoch, userEpoch = ARGV[3], te, ue
  end
end
if not record then return {'miss', ''} end
if string.sub(record, 1, #held) ~= held or held == '' then
  local _, te, ue = string.match(record, '^(%d+)|(%d+)|(%d+)|')
  if not te then
    if string.match(record, '^%d+|dead$') then return {'dead', ''} end
    if string.match(record, '|unknown$') then return {'unknown', ''} end
    return {'miss', ''}
  end
  if te ~= tenantEpoch or ue ~= userEpoch then return {'miss', ''} end
  return {'record', record}
end
local _, te, ue = string.match(held, '^(%d+)|(%d+)|(%d+)|')
if te ~= tenantEpoch or ue ~= userEpoch then return {'miss', ''} end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[4] ~= '0' and now >= tonumber(ARGV[4]) then return {'expired', ''} end
if ARGV[5] == 'refuse' then return {'current', ''} end
if verdict then return {'verdict', verdict} end
if ARGV[9] ~= '' and redis.call('EXISTS', KEYS[7]) == 1 then return {'replayed', ''} end

local function say(text)
  redis.call('SET', KEYS[1], text, 'EX', ${VERDICT_SECONDS})
  return {'verdict', text}
end
local int = function(n) return string.format('%.0f', n) end

local used = ''
if ARGV[6] ~= '' then
  used = tonumber(ARGV[8])
  local counted = redis.call('GET', KEYS[5])
  if counted then
    local period, n = string.match(counted, '^([^|]*)|(%d+)$')
    if period == ARGV[7] and tonumber(n) > used then used = tonumber(n) end
  elseif ARGV[3] == '' then
    return {'miss', ''}
  end
  if used >= tonumber(ARGV[6]) then return say('quota|' .. int(used)) end
end

local first = 8 + marks
local units, times, ttls, left = {}, {}, {}, {}
local short, wait = 0, 0
for i = first, #KEYS do
  local at = 11 + 2 * (i - first)
  local rate, capacity = tonumber(ARGV[at]), tonumber(ARGV[at + 1]) * ${UNITS}
  local has, since = capacity, now
  local kept = redis.call('GET', KEYS[i])
  if kept then
    local u, t = string.match(kept, '^(%d+):(%d+)$')
    if u then
      since = math.max(now, tonumber(t))
      has = math.min(capacity, tonumber(u) + (since - tonumber(t)) * rate)
    end
  end
  if has < ${UNITS} then
    local ms = math.ceil((${UNITS} - has) / rate)
    if ms > wait then short, wait = i - first + 1, ms end
  end
  units[i], times[i] = has - ${UNITS}, since
  ttls[i] = math.ceil((capacity - units[i]) / rate) + 1000
  left[#left + 1] = int(math.floor(units[i] / ${UNITS}))
end
if short > 0 then return say('rate_limited|' .. short .. '|' .. int(wait)) end
for i = first, #KEYS do
  redis.call('SET', KEYS[i], int(units[i]) .. ':' .. int(times[i]), 'PX', int(ttls[i]))
end
if ARGV[6] ~= '' then
  used = used + 1
  redis.call('SET', KEYS[5], ARGV[7] .. '|' .. int(used), 'EX', ${QUOTA_SECONDS})
  used = int(used)
end
if ARGV[9] ~= '' then redis.call('SET', KEYS[7], '1', 'EX', ARGV[9]) end
local entry = ''
if ARGV[10] ~= '' then entry = redis.call('XADD', KEYS[6], '*', 'i', ARGV[10]) end
return say('ok|' .. table.concat(left, ',') .. '|' .. used .. '|' .. entry)`);

/**
 * Looks up a key that an isolate sees for the first time. A key that Redis does not have, or has as unknown, may be a
 * guess; an address that guesses too often is blocked. KEYS: 1 record, 2 the address's bucket. ARGV: 1 `perMinute`,
 * 2 `burst`, 3 `found` to ask, `guess` to count a guess before a costly look-up, `mark` to store the key as unknown,
 * `missing` to do both. Answers `{state, text}`: `record`, `none`, `unknown`, `blocked` (retry ms).
 */
export const LOCATE = redisScript(`
local record = redis.call('GET', KEYS[1])
local unknown = record and (string.match(record, '|unknown$') or string.match(record, '|dead$'))
if (ARGV[3] == 'missing' or ARGV[3] == 'mark') and not record then
  redis.call('SET', KEYS[1], '0|unknown', 'EX', ${UNKNOWN_SECONDS})
end
if ARGV[3] == 'mark' then return {'unknown', ''} end
if ARGV[3] == 'found' and record and not unknown then return {'record', record} end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local rate, capacity = tonumber(ARGV[1]), tonumber(ARGV[2]) * ${UNITS}
local has, since = capacity, now
local kept = redis.call('GET', KEYS[2])
if kept then
  local u, t = string.match(kept, '^(-?%d+):(%d+)$')
  if u then
    since = math.max(now, tonumber(t))
    has = math.min(capacity, tonumber(u) + (since - tonumber(t)) * rate)
  end
end
if ARGV[3] == 'found' and has < ${UNITS} then
  return {'blocked', string.format('%.0f', math.ceil((${UNITS} - has) / rate))}
end
if ARGV[3] == 'found' and not record then return {'none', ''} end
has = has - ${UNITS}
if has < ${UNITS} then has = -${SHUT_OUT_MS} * rate end
redis.call('SET', KEYS[2], string.format('%.0f', has) .. ':' .. string.format('%.0f', since), 'PX',
  string.format('%.0f', math.ceil((capacity - has) / rate) + 1000))
return {'unknown', ''}`);
