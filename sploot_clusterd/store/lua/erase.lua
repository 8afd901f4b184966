-- Forget a pet, and keep what was accepted before now from bringing it back.
-- KEYS  1 stream, 2 album, 3 images, 4 view, 5 erase marks, 6 dead letters
-- ARGV  1 pet id
-- Reply how many of the pet's keys there were
local gone = redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
-- Nothing older can still be applied where the stream is empty, as entries are deleted when they are settled, and where
-- no dead letter could be put back before it is deleted, too.
local older = redis.call('XLEN', KEYS[1]) > 0 or redis.call('XLEN', KEYS[6]) > 0
if older and redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then redis.call('HSET', KEYS[5], ARGV[1], info[i + 1]) end
  end
else
  redis.call('HDEL', KEYS[5], ARGV[1])
end
return gone
