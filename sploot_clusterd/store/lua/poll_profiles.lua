-- How profiles and samples stand. Writes nothing.
-- KEYS  1 profiles, 2.. slots of the samples asked for
-- ARGV  1 most images of a sample
-- Reply {states as [model version, state, ...], {images in the sample, highest priority in it if it is full, else ''}...}
local reply = {redis.call('HGETALL', KEYS[1])}
for i = 2, #KEYS do
  local count, highest = redis.call('ZCARD', KEYS[i]), ''
  if count >= tonumber(ARGV[1]) then highest = redis.call('ZRANGE', KEYS[i], 0, 0, 'REV', 'WITHSCORES')[2] end
  reply[i] = {count, highest}
end
return reply
