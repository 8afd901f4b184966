-- Drop a pet's view. A mark, for as long as it would have lived, keeps readers from having it rendered anew: that is left to
-- the next job.
-- KEYS  view, dropped
-- ARGV  pet_id
-- Reply 1 if there was one
local view, dropped = unpack(KEYS, 1, 2)
local pet_id = unpack(ARGV, 1, 1)

local life = redis.call('PTTL', view)
if life > 0 then redis.call('SET', dropped, 1, 'PX', life) end
return redis.call('UNLINK', view)
