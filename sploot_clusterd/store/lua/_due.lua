-- Sets of things by when they are due, in ms.
--
-- Where a pet stands among those that want something: when the first of its things is due, and not at all without one.
local function requeue(queue, pet, things)
  local first = redis.call('ZRANGE', things, 0, 0, 'WITHSCORES')
  if #first == 0 then
    redis.call('ZREM', queue, pet)
  else
    redis.call('ZADD', queue, first[2], pet)
  end
end

-- How asking for an image went: since when it was asked for in vain (0: it was not), and how often it was taken without
-- an outcome.
local function get_asked(asked_key, image)
  local since, takes = string.match(redis.call('HGET', asked_key, image) or '', '^(%d+) (%d+)$')
  return tonumber(since or 0), tonumber(takes or 0)
end

local function put_asked(asked_key, image, since, takes)
  redis.call('HSET', asked_key, image, string.format('%.0f %d', since, takes))
end

