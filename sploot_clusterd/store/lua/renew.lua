-- Say that entries are still being worked on, so that nobody takes them over.
-- KEYS  stream
-- ARGV  group, consumer; the list entries
-- Reply how many are still ours. JUSTID: a renewal is no delivery. Only what is ours: XCLAIM would take it back. Only
--       what is still in the stream: XCLAIM drops a deleted entry from the pending ones, and its job were lost.
local stream = unpack(KEYS, 1, 1)
local group, consumer = unpack(ARGV, 1, 2)
local entries = lists_after(2, 1)

local ours = 0
for i = entries.from, entries.to do
  if owns(stream, group, consumer, ARGV[i]) then
    ours = ours + 1
    if #redis.call('XRANGE', stream, ARGV[i], ARGV[i]) > 0 then
      redis.call('XCLAIM', stream, group, consumer, 0, ARGV[i], 'JUSTID')
    end
  end
end
return ours
