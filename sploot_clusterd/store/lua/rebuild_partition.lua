-- Begin a partition that was lost, or go on with it: later ids are above those that were given, and so is the feed's next.
-- KEYS  stream, erased, feed, feed_index
-- ARGV  last_id: the stream's, or ''; event_id: the feed's last, or ''; the list marks of erasures, as pet id, mark
-- Reply 1
local stream, erased, feed, feed_index = unpack(KEYS, 1, 4)
local last_id, event_id = unpack(ARGV, 1, 2)
local marks = list_after(2)

redis.call('HLEN', erased)  -- of its type, or nothing is written
local is_begun = redis.call('XLEN', feed) > 0 or redis.call('HEXISTS', feed_index, TOTAL) == 1
if last_id ~= '' and not (redis.call('EXISTS', stream) == 1 and at_or_before(last_id, last_generated_id(stream))) then
  redis.call('XADD', stream, last_id, 'place', '')
  redis.call('XDEL', stream, last_id)
end
for i = marks.from, marks.to, 2 do
  if redis.call('HEXISTS', erased, ARGV[i]) == 0 then redis.call('HSET', erased, ARGV[i], ARGV[i + 1]) end
end
if event_id ~= '' and not is_begun then redis.call('HSET', feed_index, TOTAL, event_id .. ' 0') end
return 1
