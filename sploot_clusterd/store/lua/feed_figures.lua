-- What the feed holds. Writes nothing.
-- KEYS  feed, feed_index
-- ARGV  (none)
-- Reply {events, bytes, age in ms of the oldest}
local feed, feed_index = unpack(KEYS, 1, 2)

local length = redis.call('XLEN', feed)
local _, bytes = totals_of(redis.call('HGET', feed_index, TOTAL))
if length == 0 then return {0, 0, 0} end
local first = redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)[1][1]
return {length, bytes, math.max(0, now_ms() - tonumber(string.match(first, '%d+$')))}
