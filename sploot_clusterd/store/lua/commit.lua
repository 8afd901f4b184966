-- Write one pet's new state and settle the entries that led to it: all of it, or nothing.
-- KEYS  1 stream, 2 attempts, 3 album, 4 images, 5 view, 6 erase marks
-- ARGV  1 group, 2 consumer, 3 pet id, 4 token the state was computed from ('' for a new album), 5 new token
--       ('' if the album stays as it is), 6 erase mark seen at load or '', 7 view ('' to leave it), 8 view's life in s,
--       9 album's life in s (0: for ever), then four counted lists: entry ids; album fields as name, value; image rows
--       as id, value; album fields to delete; image ids to delete (five counts come first, lists follow)
-- Reply {'ok'}; {'conflict'} if the album or the erase mark moved on; {'lost', ids that are still ours...}
local stream, attempts_key, album, images, view, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, consumer = ARGV[1], ARGV[2]

local at = 15
local function take(count)
  local from = at
  at = at + tonumber(count)
  return {from = from, to = at - 1}
end
local ids, fields, rows = take(ARGV[10]), take(ARGV[11]), take(ARGV[12])
local old_fields, old_rows = take(ARGV[13]), take(ARGV[14])

-- In steps: a call takes a bounded number of values from Lua's stack. Even, so that pairs stay together.
local function write(command, key, list)
  for from = list.from, list.to, 1000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 999, list.to)))
  end
end

local ours = {'lost'}
for i = ids.from, ids.to do
  if owns(stream, group, consumer, ARGV[i]) then ours[#ours + 1] = ARGV[i] end
end
if #ours - 1 < ids.to - ids.from + 1 then return ours end
if (redis.call('HGET', album, 'token') or '') ~= ARGV[4] then return {'conflict'} end
if (redis.call('HGET', erased, ARGV[3]) or '') ~= ARGV[6] then return {'conflict'} end

if ARGV[5] ~= '' then
  write('HSET', album, fields)
  write('HSET', images, rows)
  write('HDEL', album, old_fields)
  write('HDEL', images, old_rows)
  redis.call('HSET', album, 'token', ARGV[5])
  if tonumber(ARGV[9]) > 0 then
    redis.call('EXPIRE', album, ARGV[9])
    redis.call('EXPIRE', images, ARGV[9])
  else
    redis.call('PERSIST', album)  -- the setting may have been another before
    redis.call('PERSIST', images)
  end
end
if ARGV[7] ~= '' then redis.call('SET', view, ARGV[7], 'EX', ARGV[8]) end
for i = ids.from, ids.to do settle(stream, attempts_key, group, ARGV[i]) end
return {'ok'}
