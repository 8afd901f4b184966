-- Forget a pet, and keep what was accepted before now from bringing it back.
-- KEYS  1 stream, 2 album, 3 images, 4 view, 5 erase marks, 6 dead letters, 7 profiles, then images and slots of the
--       sample of each model version
-- ARGV  1 pet id, 2 how many slots it may have in a sample, then the slots, then the model versions
-- Reply {'ok', how much there was of the pet}; or, with nothing changed, {'models', those there are...}
local stored, given = redis.call('HKEYS', KEYS[7]), {}
local last_slot = 2 + tonumber(ARGV[2])
for i = last_slot + 1, #ARGV do given[ARGV[i]] = true end
for _, model_version in ipairs(stored) do
  if not given[model_version] then return {'models', unpack(stored)} end
end

local gone = redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
for key = 8, #KEYS, 2 do
  gone = gone + redis.call('HDEL', KEYS[key], unpack(ARGV, 3, last_slot))
  redis.call('ZREM', KEYS[key + 1], unpack(ARGV, 3, last_slot))
end
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
return {'ok', gone}
