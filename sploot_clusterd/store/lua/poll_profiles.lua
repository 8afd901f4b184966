-- How profiles and samples stand. Writes nothing.
-- KEYS  profiles; then images and slots of the samples asked for
-- ARGV  most_sampled: images of a sample
-- Reply {states as [model version, state, ...], {images in the sample, highest priority in it if it is full, else ''}...}
--       of a sample whose keys hold something else, {-1, ''}
local profiles = unpack(KEYS, 1, 1)
local most_sampled = unpack(ARGV, 1, 1)

local reply = {redis.call('HGETALL', profiles)}
for i = 2, #KEYS, 2 do
  local images, slots = KEYS[i], KEYS[i + 1]
  local stored, count, highest = redis.pcall('HLEN', images), redis.pcall('ZCARD', slots), ''
  if type(stored) ~= 'number' or type(count) ~= 'number' then
    count = -1
  elseif count >= tonumber(most_sampled) then
    highest = redis.call('ZRANGE', slots, 0, 0, 'REV', 'WITHSCORES')[2]
  end
  reply[#reply + 1] = {count, highest}
end
return reply
