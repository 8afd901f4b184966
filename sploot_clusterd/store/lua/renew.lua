-- Say that entries are still being worked on, so that nobody takes them over.
-- KEYS  1 stream
-- ARGV  1 group, 2 consumer, 3.. ids
-- Reply how many are still ours. JUSTID: a renewal is no delivery. Only what is ours: XCLAIM would take it back. Only
--       what is still in the stream: XCLAIM drops a deleted entry from the pending ones, and its job were lost.
local ours = 0
for i = 3, #ARGV do
  if owns(KEYS[1], ARGV[1], ARGV[2], ARGV[i]) then
    ours = ours + 1
    if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) > 0 then
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    end
  end
end
return ours
