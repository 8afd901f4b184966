-- Acknowledge and delete entries of the plain stream that were moved.
-- KEYS  stream
-- ARGV  group; the list entries
-- Reply how many were deleted
local stream = unpack(KEYS, 1, 1)
local group = unpack(ARGV, 1, 1)
local entries = list_after(1)

return settle_listed(stream, group, entries)
