-- Drop a page of events: those that are older than they are to be kept, and the oldest where all take too much.
-- KEYS  feed, feed_index
-- ARGV  life: how long they are kept, in s; most_bytes; page_size
-- Reply {how many were too old, how many too much}: as many as a page has in all, if there may be more
local feed, feed_index = unpack(KEYS, 1, 2)
local life, most_bytes, page_size = unpack(ARGV, 1, 3)

local _, bytes = totals_of(redis.call('HGET', feed_index, TOTAL))
local most, first = tonumber(most_bytes), now_ms() - 1000 * life
-- A little more than has to go, so that it is not too much again at once.
if bytes > most then most = most - most / 64 end
local oldest, old = {}, 0
for _, entry in ipairs(redis.call('XRANGE', feed, '-', '+', 'COUNT', page_size)) do
  local is_old = tonumber(string.match(entry[1], '%d+$')) < first
  if not is_old and bytes <= most then break end
  if is_old then old = old + 1 end
  oldest[#oldest + 1] = entry
  bytes = bytes - entry_size(entry)
end
drop_entries(feed, feed_index, oldest)
-- Where it is turned off, or nobody is there any more, nobody would trim it. Longer than until the next look.
redis.call('EXPIRE', feed, life + 3600)
return {old, #oldest - old}
