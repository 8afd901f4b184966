-- Put a view back that had expired, rendered from the album as it still is.
-- KEYS  album, view, dropped, wanted
-- ARGV  pet_id; token of the album that it was rendered from; new_view; rest_of_view, before which the number of insights
--       belongs that the pet wants ('': nowhere); view_life in s
-- Reply the view; '' with nothing changed, if the album moved on, there is a view again, or it was dropped
local album, view, dropped, wanted = unpack(KEYS, 1, 4)
local pet_id, token, new_view, rest_of_view, view_life = unpack(ARGV, 1, 5)

if redis.call('HGET', album, 'token') ~= token or redis.call('EXISTS', view, dropped) > 0 then return '' end
if rest_of_view ~= '' then new_view = new_view .. redis.call('ZCARD', wanted) .. rest_of_view end
redis.call('SET', view, new_view, 'EX', view_life)
return new_view
