-- Drop records of entries that are not pending any more, one page of them: leftovers of a deleted stream or group.
-- KEYS  stream, attempts
-- ARGV  group, cursor, page_size
-- Reply {next cursor ('0' at the end), how many were dropped}
local stream, attempts = unpack(KEYS, 1, 2)
local group, cursor, page_size = unpack(ARGV, 1, 3)

local scan = redis.call('HSCAN', attempts, cursor, 'COUNT', page_size)
local dropped = 0
for i = 1, #scan[2], 2 do
  local id = scan[2][i]
  if parts_of(id) and not pending_entry(stream, group, id) then  -- any other field is none of ours
    dropped = dropped + redis.call('HDEL', attempts, id)
  end
end
return {scan[1], dropped}
