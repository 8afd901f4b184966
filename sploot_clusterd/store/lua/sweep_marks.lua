-- Drop erase marks that nothing unsettled is older than, one page of them.
-- KEYS  stream, erased
-- ARGV  cursor, page_size
-- Reply {next cursor ('0' at the end), how many were dropped}
local stream, erased = unpack(KEYS, 1, 2)
local cursor, page_size = unpack(ARGV, 1, 2)

local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
local scan = redis.call('HSCAN', erased, cursor, 'COUNT', page_size)
local dropped = 0
for i = 1, #scan[2], 2 do
  local mark = scan[2][i + 1]
  -- One that cannot be read is told by its pet's jobs.
  if parts_of(mark) and (not first or not at_or_before(first[1], mark)) then
    dropped = dropped + redis.call('HDEL', erased, scan[2][i])
  end
end
return {scan[1], dropped}
