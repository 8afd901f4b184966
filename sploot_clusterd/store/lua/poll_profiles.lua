-- How profiles and samples stand. Writes nothing.
-- KEYS  profiles; then slots of the samples asked for
-- ARGV  most_sampled: images of a sample
-- Reply {states as [model version, state, ...], {images in the sample, highest priority in it if it is full, else ''}...}
local profiles = unpack(KEYS, 1, 1)
local most_sampled = unpack(ARGV, 1, 1)

local reply = {redis.call('HGETALL', profiles)}
for i = 2, #KEYS do
  local count, highest = redis.call('ZCARD', KEYS[i]), ''
  if count >= tonumber(most_sampled) then highest = redis.call('ZRANGE', KEYS[i], 0, 0, 'REV', 'WITHSCORES')[2] end
  reply[i] = {count, highest}
end
return reply
