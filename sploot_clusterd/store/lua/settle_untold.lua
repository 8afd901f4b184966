-- Forget what the storage service was told, unless there is news since.
-- KEYS  untold, tellings
-- ARGV  pet_id; delay_ms: until the rest is due; the list told: as image, what was told
-- Reply how many were forgotten
local untold, tellings = unpack(KEYS, 1, 2)
local pet_id, delay_ms = unpack(ARGV, 1, 2)
local told = list_after(2)

redis.call('ZCARD', tellings)  -- of the right type, or nothing is written
local forgotten = 0
for i = told.from, told.to, 2 do
  if redis.call('HGET', untold, ARGV[i]) == ARGV[i + 1] then forgotten = forgotten + redis.call('HDEL', untold, ARGV[i]) end
end
if redis.call('EXISTS', untold) == 1 then
  redis.call('ZADD', tellings, now_ms() + tonumber(delay_ms), pet_id)
else
  redis.call('ZREM', tellings, pet_id)
end
return forgotten
