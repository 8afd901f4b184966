-- Drop erase marks that nothing unsettled is older than, one page of them.
-- KEYS  1 stream, 2 erase marks
-- ARGV  1 cursor, 2 page size
-- Reply {next cursor ('0' at the end), how many were dropped}
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local scan = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
local dropped = 0
for i = 1, #scan[2], 2 do
  if not first or not at_or_before(first[1], scan[2][i + 1]) then
    dropped = dropped + redis.call('HDEL', KEYS[2], scan[2][i])
  end
end
return {scan[1], dropped}
