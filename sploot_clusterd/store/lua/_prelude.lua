-- What scripts of every kind need: before each is put what it uses of this. Versions stay strings, for a Lua number is
-- a double and rounds beyond 2^53.

-- The one list at the end of ARGV: places in there, {from, to}.
local function list_after(last)
  return {from = last + 1, to = #ARGV}
end

-- The lists at the end of ARGV, whose lengths follow the last argument, as doubles: likewise. An empty one ends at 0.
local function lists_after(last)
  local lengths, none, at = ARGV[last + 1], {from = 1, to = 0}, last + 2
  local count = #lengths / 8
  local lists = {struct.unpack('<' .. string.rep('d', count), lengths)}
  for i = 1, count do
    local length = lists[i]
    lists[i] = length == 0 and none or {from = at, to = at + length - 1}
    at = at + length
  end
  return unpack(lists, 1, count)
end

-- Server time in ms: due times are set and compared by one clock, whatever the hosts' say.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- {id, owner, idle ms, deliveries} of a pending entry, or nil. XACK itself never asks who owns an entry.
local function pending_entry(stream, group, id)
  return redis.call('XPENDING', stream, group, id, id, 1)[1]
end

local function owns(stream, group, consumer, id)
  local entry = pending_entry(stream, group, id)
  return entry ~= nil and entry[2] == consumer
end

-- The record beside the stream: real failures, when it is due again (ms; 0 while it is being run), lone runs begun,
-- and the delivery count when the last outcome was written down: deliveries beyond `seen` ended without one. What cannot
-- be read, nobody of us has written: it counts as nothing, and the next outcome replaces it.
local function get_record(attempts_key, id)
  local text = redis.call('HGET', attempts_key, id)
  if not text then return nil end
  local attempts, due, lone, seen = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return {
    attempts = tonumber(attempts or 0), due = tonumber(due or 0), lone = tonumber(lone or 0), seen = tonumber(seen or 0)
  }
end

local function put_record(attempts_key, id, r)
  redis.call('HSET', attempts_key, id, string.format('%d %.0f %d %d', r.attempts, r.due, r.lone, r.seen))
end

-- The process that got an entry lives, although its delivery seemed to have ended without an outcome: it was slow to say
-- that it works on it, and another consumer has the entry; or it lost its connection. So that is no sign of a job that
-- ends processes, nor is the lone run, if it `ended`. The newest delivery always counts, and only so many deliveries are
-- forgiven: what is done in time nowhere is to be found out as well.
local MOST_FORGIVEN = 20
local function forgive(attempts_key, id, pending, ended)
  if not pending or pending[4] < 2 or pending[4] > MOST_FORGIVEN then return end
  local record = get_record(attempts_key, id) or {attempts = 0, due = 0, lone = 0, seen = 0}
  record.seen = math.max(record.seen, math.min(record.seen + 1, pending[4] - 1))
  if ended then record.lone = math.max(0, record.lone - 1) end
  put_record(attempts_key, id, record)
end

-- A profile's state is its generation, and ' settled' behind it if it is never learned anew.
local function is_settled(state)
  return string.find(state, ' settled', 1, true) ~= nil
end

-- Beside a generation's profile, for a commit to compare without reading the profile.
local function digest_field(generation)
  return generation .. ':sha1'
end

local WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'

-- 'string' or 'none', as there is a text or nothing; false where SET would write over something of another type, of which
-- it does not tell. Where the ACL does not let us ask, it seems to be a text.
local function text_or_none(key)
  local kind = redis.pcall('TYPE', key).ok or (redis.call('EXISTS', key) == 1 and 'string' or 'none')
  return (kind == 'string' or kind == 'none') and kind
end

-- Acknowledges and deletes those of the entries in ARGV that are there; how many. In steps: a call takes a bounded number of
-- values from Lua's stack.
local function settle_listed(stream, group, entries)
  local deleted = 0
  for from = entries.from, entries.to, 1000 do
    local to = math.min(from + 999, entries.to)
    redis.call('XACK', stream, group, unpack(ARGV, from, to))
    deleted = deleted + redis.call('XDEL', stream, unpack(ARGV, from, to))
  end
  return deleted
end

-- Last, always: a script is not rolled back, and what is acknowledged too early is lost.
local function settle(stream, attempts_key, group, id)
  redis.call('HDEL', attempts_key, id)
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
end
