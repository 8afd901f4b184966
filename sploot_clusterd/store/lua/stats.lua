-- The stream's figures, without sending any payload. Writes nothing.
-- KEYS  1 stream
-- ARGV  1 group
-- Reply {unsettled entries, pending entries (-1: no group), idle ms of the oldest pending entry, age in ms of the
--        oldest unsettled entry}
local length, now = redis.call('XLEN', KEYS[1]), now_ms()
local age = 0
if length > 0 then
  local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]
  age = math.max(0, now - tonumber(string.match(first, '^%d+')))
end
local summary = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if summary.err then return {length, -1, 0, age} end
local oldest = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1)[1]
return {length, summary[1], oldest and oldest[3] or 0, age}
