-- A stream's figures, without sending any payload. Writes nothing.
-- KEYS  stream; erasing, if it is a partition's
-- ARGV  group
-- Reply {unsettled entries, pending entries (-1: no group), idle ms of the oldest pending entry, age in ms of the
--        oldest unsettled entry, erased pets that history is still to forget}
local stream = unpack(KEYS, 1, 1)
local group = unpack(ARGV, 1, 1)
local erasing = KEYS[2]

local length, now = redis.call('XLEN', stream), now_ms()
local age = 0
if length > 0 then
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1][1]
  age = math.max(0, now - tonumber(string.match(first, '^%d+')))
end
local forgets = erasing and redis.pcall('HLEN', erasing)
forgets = type(forgets) == 'number' and forgets or 0  -- of another type: who looks at the keys tells of it
local summary = redis.pcall('XPENDING', stream, group)
if summary.err then
  return string.find(summary.err, 'NOGROUP', 1, true) and {length, -1, 0, age, forgets} or summary
end
local oldest = redis.call('XPENDING', stream, group, '-', '+', 1)[1]
return {length, summary[1], oldest and oldest[3] or 0, age, forgets}
