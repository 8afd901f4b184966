-- End a lease that is ours.
-- KEYS  the lease
-- ARGV  member: the process
-- Reply 1 if it was ours
local member = unpack(ARGV, 1, 1)

for _, lease in ipairs(KEYS) do
  if redis.call('MGET', lease)[1] == member then return redis.call('UNLINK', lease) end
end
return 0
