-- Hold a lease, or take it where nobody has it, or only see who has it.
-- KEYS  the lease; then, where its holders are numbered, the hash with the number of the last one
-- ARGV  member: the process; lives: ms until the lease ends, 0 only to see
-- Reply {its holder, '' for nobody; the holder's number, 0 where there are none}
local member, lives = unpack(ARGV, 1, 2)

local lease, numbers = unpack(KEYS)
local holder = redis.call('MGET', lease)[1] or ''
if tonumber(lives) > 0 and (holder == '' or holder == member) then
  if holder == '' and numbers then redis.call('HINCRBY', numbers, 'routers', 1) end
  redis.call('SET', lease, member, 'PX', lives)
  holder = member
end
return {holder, numbers and tonumber(redis.call('HGET', numbers, 'routers') or 0) or 0}
