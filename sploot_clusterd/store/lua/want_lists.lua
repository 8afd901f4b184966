-- A pet's whole list of images is wanted.
-- KEYS  wanted, asked, wants
-- ARGV  pet_id
-- Reply 1 if it was not wanted already
local wanted, asked, wants = unpack(KEYS, 1, 3)
local pet_id = unpack(ARGV, 1, 1)

redis.call('ZCARD', wants)  -- of the right type, or nothing is written
redis.call('HDEL', asked, '*')
local added = redis.call('ZADD', wanted, 'NX', now_ms(), '*')
requeue(wants, pet_id, wanted)
return added
