-- Delete events.
-- KEYS  feed, feed_index
-- ARGV  the list ids
-- Reply how many there were
local feed, feed_index = unpack(KEYS, 1, 2)
local ids = list_after(0)

local entries = {}
for i = ids.from, ids.to do entries[#entries + 1] = redis.call('XRANGE', feed, ARGV[i], ARGV[i])[1] end
if #entries > 0 then drop_entries(feed, feed_index, entries) end
return #entries
