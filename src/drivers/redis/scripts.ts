// What a store in Redis does at once or not at all, as scripts that run inside the server, by the server's time. Each is given the
// tenant's `head` and finds its other keys beside it, in the same slot (see layout.ts). Everything that may be refused is
// looked at before anything is written, since Redis takes nothing back.
import { type RedisScript, scriptsOf } from "./script.ts";

/** Beyond it the lowest versions of removed keys are forgotten, and new keys begin above them. */
const REMOVED_MAX = 65_536;

/**
 * `serverMs` is the time of leases; what is written is never before what was written. By its flags Redis refuses a script as a whole,
 * before it begins, when memory is short or the server is a replica.
 */
const prelude = (flags: "" | "no-writes" | "allow-oom"): string => `#!lua flags=${flags}
local call = redis.call
local head = KEYS[1]
local base = string.sub(head, 1, -5)
local clock = call("TIME")
local serverMs = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function latest(ms) return math.max(serverMs, tonumber(ms or 0)) end
local function parse(raw) return string.match(raw, "^(%d+) (%S*) ()") end
`;
const READING = prelude("no-writes");
const WRITING = prelude("");

/**
 * What was committed in one turn, in order. ARGV[1], with blanks between: replica, generation, resent, sequence number known to be there,
 * id of its record or nothing, milliseconds of a lease, number of commits. Then for each commit a line, with blanks between: execution
 * (`=` before it) and token of the owner, and of whose own it becomes, or nothing, id of the attempt, and how many of these follow it:
 * key version last expired · id execution rest · key expires json open definition · key open
 */
const COMMIT = `${WRITING}
local replica, generation, resent, known, knownId, leaseMs, commits =
  string.match(ARGV[1], "^(%S*) (%d+) (%d) (%d+) (%S*) (%d+) (%d+)$")
generation, resent, known, leaseMs = tonumber(generation), resent == "1", tonumber(known), tonumber(leaseMs)
local log, entries = base .. "log", base .. "entries"
local open, free, held = base .. "open", base .. "free", base .. "held"

local at = call("HMGET", head, "seq", "ms", "id", "floor", "g:" .. replica)
local seq, ms, floor = tonumber(at[1] or 0), latest(at[2]), tonumber(at[4] or 0)
-- This was sent before something of this replica that has been sent again: it is that, or of its time.
if at[5] and tonumber(string.match(at[5], "^%d+")) > generation then return {"late"} end
if seq < known then return {"diverged", seq} end
if knownId ~= "" and not (seq == known and at[3] == knownId) then
  local there = call("XRANGE", log, known .. "-0", known .. "-0")[1]
  if there and there[2][2] ~= knownId then return {"diverged", seq} end
end

if resent then
  local all = call("HGETALL", head)
  for i = 1, #all, 2 do
    local since = string.sub(all[i], 1, 2) == "g:" and string.match(all[i + 1], " (%d+)$")
    if since and tonumber(since) < serverMs - 3600000 then call("HDEL", head, all[i]) end
  end
  call("HSET", head, "g:" .. replica, generation .. " " .. string.format("%d", serverMs))
end

local stamp = string.format("%d", ms)
local lastId, isWritten
local function versionOfAbsent(key)
  return tonumber(call("ZSCORE", base .. "removed", key) or floor)
end

-- Gives what came of it, and where the next one begins.
local function commit(line)
  local owner, token, own, ownToken, attempt, expects, appends, puts, removes =
    string.match(ARGV[line], "^(%S*) (%S*) (%S*) (%S*) (%S*) (%d+) (%d+) (%d+) (%d+)$")
  expects, appends, puts, removes = tonumber(expects), tonumber(appends), tonumber(puts), tonumber(removes)
  local firstExpect = line + 1
  local firstAppend = firstExpect + 4 * expects
  local firstPut = firstAppend + 3 * appends
  local firstRemove = firstPut + 5 * puts
  local after = firstRemove + 2 * removes

  if resent then
    if appends == 0 then
      local came = call("GET", base .. "attempt:" .. attempt)
      if came then return {"again", came}, after end
    end
    local from = known + 1
    while appends > 0 and from <= seq do
      local records = call("XRANGE", log, from .. "-0", "+", "COUNT", 256)
      if #records == 0 then break end
      for _, record in ipairs(records) do
        local fields = record[2]
        local number = string.match(record[1], "^%d+")
        if fields[2] == ARGV[firstAppend] then return {"again", number .. " " .. fields[4] .. (fields[8] or "")}, after end
        from = tonumber(number) + 1
      end
    end
  end

  if owner ~= "" then
    local owned = call("HGET", open, string.sub(owner, 2))
    if not owned or token == "" or string.sub(owned, 1, 1) == "-" or string.sub(owned, 1, 32) ~= token then return {"fenced"}, after end
  end

  for i = firstExpect, firstAppend - 1, 4 do
    local raw = call("HGET", entries, ARGV[i])
    local there, last = 0, nil
    if raw then
      local version, expires = parse(raw)
      local isExpired = expires ~= "" and tonumber(expires) <= ms
      last = tonumber(version)
      if isExpired == (ARGV[i + 3] == "1") then there = last end
    end
    local isOther = there ~= tonumber(ARGV[i + 1])
    if ARGV[i + 2] ~= "" then
      last = last or versionOfAbsent(ARGV[i])
      isOther = isOther or last ~= tonumber(ARGV[i + 2])
    end
    if isOther then return {"conflict", (i - firstExpect) / 4, there, last or 0}, after end
  end

  local result = {"ok", seq + 1, ms}
  if appends + puts + removes == 0 then return result, after end

  local versions = ""
  for i = firstPut, firstRemove - 1, 5 do
    local key, expires = ARGV[i], ARGV[i + 1]
    local raw = call("HGET", entries, key)
    local version, expired
    if raw then
      version, expired = parse(raw)
      version = tonumber(version) + 1
    else
      version = versionOfAbsent(key) + 1
      call("ZREM", base .. "removed", key)
      call("ZADD", base .. "keys", 0, key)
    end
    call("HSET", entries, key, string.format("%d", version) .. " " .. expires .. " " .. ARGV[i + 2])
    if expires ~= "" then call("ZADD", base .. "expiry", expires, key)
    elseif expired and expired ~= "" then call("ZREM", base .. "expiry", key) end
    versions = versions .. " " .. string.format("%d", version)
    result[#result + 1] = version

    local execution, definition = ARGV[i + 3], ARGV[i + 4]
    if execution ~= "" then
      local before = call("HGET", open, execution)
      local member = definition .. "\\0" .. execution
      if not before then
        call("HSET", open, execution, string.rep("-", 32) .. " " .. definition)
        call("ZADD", free, 0, member)
      elseif string.sub(before, 34) ~= definition then
        local old = string.sub(before, 34) .. "\\0" .. execution
        call("HSET", open, execution, string.sub(before, 1, 33) .. definition)
        if call("ZREM", free, old) == 1 then call("ZADD", free, 0, member) end
        local untilMs = call("ZSCORE", held, old)
        if untilMs then
          call("ZREM", held, old)
          call("ZADD", held, untilMs, member)
        end
      end
    end
  end

  local ours = own ~= "" and call("HGET", open, string.sub(own, 2))
  if ours and string.sub(ours, 1, 1) == "-" then
    local execution, definition = string.sub(own, 2), string.sub(ours, 34)
    call("HSET", open, execution, ownToken .. " " .. definition)
    call("ZREM", free, definition .. "\\0" .. execution)
    call("ZADD", held, serverMs + leaseMs, definition .. "\\0" .. execution)
  end

  local ofExecution, numbers
  for i = firstAppend, firstPut - 1, 3 do
    seq = seq + 1
    local execution, number = ARGV[i + 1], string.format("%d", seq)
    if i == firstAppend and versions ~= "" then
      call("XADD", log, number .. "-0", "i", ARGV[i], "m", stamp, "r", ARGV[i + 2], "v", versions)
    else
      call("XADD", log, number .. "-0", "i", ARGV[i], "m", stamp, "r", ARGV[i + 2])
    end
    if execution ~= "" then
      if execution == ofExecution then numbers[#numbers + 1] = number
      else
        if ofExecution then call("RPUSH", base .. "of:" .. ofExecution, unpack(numbers)) end
        ofExecution, numbers = execution, { number }
      end
      if #numbers == 1000 then
        call("RPUSH", base .. "of:" .. ofExecution, unpack(numbers))
        ofExecution = nil
      end
    end
  end
  if ofExecution then call("RPUSH", base .. "of:" .. ofExecution, unpack(numbers)) end

  for i = firstRemove, after - 1, 2 do
    local key, execution = ARGV[i], ARGV[i + 1]
    local raw = call("HGET", entries, key)
    if raw then
      call("HDEL", entries, key)
      call("ZREM", base .. "keys", key)
      call("ZREM", base .. "expiry", key)
      call("ZADD", base .. "removed", (parse(raw)), key)
      if call("ZCARD", base .. "removed") > ${REMOVED_MAX} then
        local forgotten = call("ZPOPMIN", base .. "removed", 256)
        floor = math.max(floor, tonumber(forgotten[#forgotten]))
        call("HSET", head, "floor", floor)
      end
    end
    if execution ~= "" then
      local before = call("HGET", open, execution)
      if before then
        local member = string.sub(before, 34) .. "\\0" .. execution
        call("HDEL", open, execution)
        call("ZREM", free, member)
        call("ZREM", held, member)
      end
    end
  end

  isWritten = true
  if appends > 0 then lastId = ARGV[firstPut - 3]
  else call("SET", base .. "attempt:" .. attempt, string.format("%d ", seq + 1) .. stamp .. versions, "PX", 600000) end
  return result, after
end

local results, line = {}, 2
for n = 1, tonumber(commits) do results[n], line = commit(line) end
if lastId then call("HSET", head, "seq", string.format("%d", seq), "ms", stamp, "id", lastId, "by", replica)
elseif isWritten then call("HSET", head, "ms", stamp, "by", replica) end
if isWritten then call("PUBLISH", base .. "written", replica) end
return results
`;

/** ARGV: keys. Gives the time, and what is there. */
const GET = `${READING}
return {latest(call("HGET", head, "ms")), call("HMGET", base .. "entries", unpack(ARGV))}
`;

/** ARGV: from, up to, limit. Gives the time, then keys and what is there, those that have expired left out. */
const SCAN = `${READING}
local from, upTo, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ms = latest(call("HGET", head, "ms"))
local found, left = {ms}, limit
while left > 0 do
  local keys = call("ZRANGEBYLEX", base .. "keys", from, upTo, "LIMIT", 0, math.min(left, 1000))
  if #keys == 0 then break end
  local raws = call("HMGET", base .. "entries", unpack(keys))
  for i, raw in ipairs(raws) do
    local _, expires = parse(raw)
    if expires == "" or tonumber(expires) > ms then
      found[#found + 1] = keys[i]
      found[#found + 1] = raw
      left = left - 1
    end
  end
  from = "(" .. keys[#keys]
end
return found
`;

/** ARGV: execution, after, limit. Gives the records as XRANGE does. */
const LOG_OF = `${READING}
local list, after = base .. "of:" .. ARGV[1], tonumber(ARGV[2])
local low, high = 0, call("LLEN", list)
while low < high do
  local middle = math.floor((low + high) / 2)
  if tonumber(call("LINDEX", list, middle)) <= after then low = middle + 1 else high = middle end
end
local numbers = call("LRANGE", list, low, low + tonumber(ARGV[3]) - 1)
local found = {}
for _, number in ipairs(numbers) do
  found[#found + 1] = call("XRANGE", base .. "log", number .. "-0", number .. "-0")[1]
end
return found
`;

/** ARGV: sequence number of the last record to go, and the executions of those that go. */
const TRIM = `${WRITING}
local last = tonumber(ARGV[1])
call("XTRIM", base .. "log", "MINID", string.format("%d-0", last + 1))
for i = 2, #ARGV do
  local list = base .. "of:" .. ARGV[i]
  local first = call("LINDEX", list, 0)
  while first and tonumber(first) <= last do
    call("LPOP", list)
    first = call("LINDEX", list, 0)
  end
end
return 1
`;

/** ARGV: limit. Gives the time, then keys with when they expire, the earliest first, whether or not they have. */
const EXPIRY = `${READING}
local found = call("ZRANGE", base .. "expiry", 0, tonumber(ARGV[1]) - 1, "WITHSCORES")
table.insert(found, 1, string.format("%d", latest(call("HGET", head, "ms"))))
return found
`;

/** Gives how many executions can be claimed. */
const CLAIMABLE = `${READING}
return call("ZCARD", base .. "free") + call("ZCOUNT", base .. "held", "-inf", serverMs)
`;

/**
 * ARGV: milliseconds of a lease, number of tokens, these, and the definitions, or `?` alone for any. Gives the executions claimed, the
 * first with the first token. A lease that ends far in the future was given before the clock was set back.
 */
const CLAIM = `${WRITING}
local leaseMs, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])
local open, free, held = base .. "open", base .. "free", base .. "held"
for _, member in ipairs(call("ZRANGEBYSCORE", held, serverMs + 10 * leaseMs, "+inf", "LIMIT", 0, 1000)) do
  call("ZADD", held, serverMs + leaseMs, member)
end
for _, member in ipairs(call("ZRANGEBYSCORE", held, "-inf", serverMs, "LIMIT", 0, 1000)) do
  call("ZREM", held, member)
  call("ZADD", free, 0, member)
end
local members = {}
if ARGV[3 + tokens] == "?" then
  if tokens > 0 then members = call("ZRANGE", free, 0, tokens - 1) end
else
  for i = 3 + tokens, #ARGV do
    local left = tokens - #members
    if left <= 0 then break end
    for _, member in ipairs(call("ZRANGEBYLEX", free, "[" .. ARGV[i] .. "\\0", "(" .. ARGV[i] .. "\\1", "LIMIT", 0, left)) do
      members[#members + 1] = member
    end
  end
end
local executions = {}
for i, member in ipairs(members) do
  local definition, execution = string.match(member, "^(.*)%z(.*)$")
  call("HSET", open, execution, ARGV[2 + i] .. " " .. definition)
  call("ZREM", free, member)
  call("ZADD", held, serverMs + leaseMs, member)
  executions[i] = execution
end
return executions
`;

/** For those owned by that token; gives the numbers, from 0, of those that are not. */
const forOwned = (act: string): string => `${prelude("allow-oom")}
local leaseMs = tonumber(ARGV[1])
local lost = {}
for i = 2, #ARGV, 2 do
  local execution, token = ARGV[i], ARGV[i + 1]
  local record = call("HGET", base .. "open", execution)
  if record and string.sub(record, 1, 32) == token and string.sub(token, 1, 1) ~= "-" then
    local definition = string.sub(record, 34)
    local member = definition .. "\\0" .. execution
    ${act}
  else lost[#lost + 1] = (i - 2) / 2 end
end
return lost
`;

/** ARGV: milliseconds of a lease, then executions and tokens. */
const RENEW = forOwned(`
    call("ZREM", base .. "free", member)
    call("ZADD", base .. "held", serverMs + leaseMs, member)`);

/** As for renewal. */
const RELEASE = forOwned(`
    call("HSET", base .. "open", execution, string.rep("-", 32) .. " " .. definition)
    call("ZREM", base .. "held", member)
    call("ZADD", base .. "free", 0, member)`);

const texts = {
  commit: COMMIT,
  get: GET,
  scan: SCAN,
  logOf: LOG_OF,
  trim: TRIM,
  expiry: EXPIRY,
  claimable: CLAIMABLE,
  claim: CLAIM,
  renew: RENEW,
  release: RELEASE,
};

export type RedisScripts = Record<keyof typeof texts, RedisScript>;

export const redisScripts = (): RedisScripts => scriptsOf(texts);
