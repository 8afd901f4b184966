-- Which pets are due in a queue, those that wait longest first. Writes nothing.
-- KEYS  the queue
-- ARGV  most: pets to name
-- Reply {pets in the queue, ms for which the first has been due, pets that are due...}
local most = unpack(ARGV, 1, 1)

local reply, now = {0, 0}, now_ms()
for _, queue in ipairs(KEYS) do
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  reply = {redis.call('ZCARD', queue), first[2] and math.max(0, now - tonumber(first[2])) or 0}
  for _, pet in ipairs(redis.call('ZRANGE', queue, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
    reply[#reply + 1] = pet
  end
end
return reply
