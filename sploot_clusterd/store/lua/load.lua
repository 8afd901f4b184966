-- What is needed to apply a pet's jobs. Writes nothing.
-- KEYS  album, images, view, erased
-- ARGV  pet_id; token: that of the version that the caller has in memory, or ''; the list wanted: images whose rows are
-- Reply {token or '', album as [field, value, ...] ('' if the caller's is current), 1 if a view is stored,
--        erase mark or '', rows in the order asked for (nil where there is none)}
local album, images, view, erased = unpack(KEYS, 1, 4)
local pet_id, token = unpack(ARGV, 1, 2)
local wanted = list_after(2)

local kind = text_or_none(view)
if not kind then return redis.error_reply(WRONG_TYPE) end

local stored, fields, rows = redis.call('HGET', album, 'token') or '', '', {}
if stored ~= token then fields = redis.call('HGETALL', album) end
if stored ~= '' then
  for from = wanted.from, wanted.to, 1000 do  -- in steps: a call takes a bounded number of values from Lua's stack
    local page = redis.call('HMGET', images, unpack(ARGV, from, math.min(from + 999, wanted.to)))
    for i = 1, #page do rows[from - wanted.from + i] = page[i] end
  end
end
return {stored, fields, kind == 'none' and 0 or 1, redis.call('HGET', erased, pet_id) or '', rows}
