-- Say that entries are still being worked on, so that nobody takes them over.
-- KEYS  stream, attempts
-- ARGV  group, consumer; the list entries
-- Reply those that are still ours. JUSTID: a renewal is no delivery. Only what is ours: XCLAIM would take it back. Only
--       what is still in the stream: XCLAIM drops a deleted entry from the pending ones, and its job were lost.
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer = unpack(ARGV, 1, 2)
local entries = list_after(2)

local ours = {}
for i = entries.from, entries.to do
  local entry = pending_entry(stream, group, ARGV[i])
  if entry and entry[2] == consumer then
    ours[#ours + 1] = ARGV[i]
    if #redis.call('XRANGE', stream, ARGV[i], ARGV[i]) > 0 then
      redis.call('XCLAIM', stream, group, consumer, 0, ARGV[i], 'JUSTID')
    end
  else
    forgive(attempts, ARGV[i], entry, false)
  end
end
return ours
