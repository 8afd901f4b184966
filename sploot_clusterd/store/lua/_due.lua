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

-- How asking for an image went: since when it was asked for in vain (0: it was not), how often it was taken without an
-- outcome, how often a job with the answer was handed over, and in which trace it is wanted, if that is known.
local function get_asked(asked_key, image)
  local text = redis.call('HGET', asked_key, image) or ''
  local since, takes, handed, trace = string.match(text, '^(%d+) (%d+) (%d+) ?(.*)$')
  return {
    since = tonumber(since or 0), takes = tonumber(takes or 0), handed = tonumber(handed or 0), trace = trace or '',
  }
end

local function put_asked(asked_key, image, r)
  local text = string.format('%.0f %d %d', r.since, r.takes, r.handed)
  redis.call('HSET', asked_key, image, r.trace == '' and text or text .. ' ' .. r.trace)
end

