-- What is needed to apply a pet's jobs. Writes nothing.
-- KEYS  1 album, 2 images, 3 view, 4 erase marks
-- ARGV  1 pet id, 2 version token that the caller has in memory or '', 3.. image ids whose rows are wanted
-- Reply {token or '', album as [field, value, ...] ('' if the caller's is current), 1 if a view is stored,
--        erase mark or '', rows in the order asked for (nil where there is none)}
local token = redis.call('HGET', KEYS[1], 'token') or ''
local album = ''
if token ~= ARGV[2] then album = redis.call('HGETALL', KEYS[1]) end
local rows = {}
if token ~= '' then
  for from = 3, #ARGV, 1000 do  -- in steps: a call takes a bounded number of values from Lua's stack
    local page = redis.call('HMGET', KEYS[2], unpack(ARGV, from, math.min(from + 999, #ARGV)))
    for i = 1, #page do rows[from - 3 + i] = page[i] end
  end
end
return {token, album, redis.call('EXISTS', KEYS[3]), redis.call('HGET', KEYS[4], ARGV[1]) or '', rows}
