-- Acknowledge and delete entries of the plain stream that were moved.
-- KEYS  stream
-- ARGV  group; the list entries
-- Reply how many were deleted
local stream = unpack(KEYS, 1, 1)
local group = unpack(ARGV, 1, 1)
local entries = lists_after(1)

local deleted = 0
for i = entries.from, entries.to do
  redis.call('XACK', stream, group, ARGV[i])
  deleted = deleted + redis.call('XDEL', stream, ARGV[i])
end
return deleted
