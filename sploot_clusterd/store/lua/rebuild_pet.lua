-- Put a pet's album and view back that were lost: all of it, or nothing where there is an album by now.
-- KEYS  album, images, view, erasing
-- ARGV  pet_id; kept_view, '' if there is none; view_life and album_life in s (0: for ever); the lists fields, as name,
--       value, and rows, as image id, value
-- Reply 1; 0 if there is an album; -1 if history is still to forget the pet
local album, images, view, erasing = unpack(KEYS, 1, 4)
local pet_id, kept_view, view_life, album_life = unpack(ARGV, 1, 4)
local fields, rows = lists_after(4)

if redis.call('HEXISTS', erasing, pet_id) == 1 then return -1 end
if redis.call('EXISTS', album) == 1 then return 0 end
redis.call('UNLINK', images)  -- of an album that is not there
for key, list in pairs({[album] = fields, [images] = rows}) do
  for from = list.from, list.to, 1000 do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + 999, list.to)))
  end
  if tonumber(album_life) > 0 then redis.call('EXPIRE', key, album_life) end
end
if kept_view ~= '' then redis.call('SET', view, kept_view, 'EX', view_life) end
return 1
