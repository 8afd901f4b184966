-- Take up what the storage service is to be told of a pet's images, until the lease ends.
-- KEYS  untold, tellings
-- ARGV  pet_id; most: images to take; lease_ms
-- Reply {image, what to tell, ...}
local untold, tellings = unpack(KEYS, 1, 2)
local pet_id, most, lease_ms = unpack(ARGV, 1, 3)

local due, now = redis.call('ZSCORE', tellings, pet_id), now_ms()
if due and tonumber(due) > now then return {} end
local taken = redis.call('HRANDFIELD', untold, most, 'WITHVALUES')
if #taken == 0 then
  redis.call('ZREM', tellings, pet_id)
else
  redis.call('ZADD', tellings, now + tonumber(lease_ms), pet_id)
end
return taken
