-- Drop what DELETEs noted of the plain stream and nothing there is older than, one page of it.
-- KEYS  origins
-- ARGV  first: the oldest entry of the plain stream, '' if it is empty; cursor, page_size
-- Reply {next cursor ('0' at the end), how many were dropped}
local origins = unpack(KEYS, 1, 1)
local first, cursor, page_size = unpack(ARGV, 1, 3)

local scan = redis.call('HSCAN', origins, cursor, 'COUNT', page_size)
local dropped = 0
for i = 1, #scan[2], 2 do
  if first == '' or not at_or_before(first, scan[2][i + 1]) then
    dropped = dropped + redis.call('HDEL', origins, scan[2][i])
  end
end
return {scan[1], dropped}
