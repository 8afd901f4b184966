-- Write one pet's new state and settle the entries that led to it: all of it, or nothing.
-- KEYS  1 stream, 2 attempts, 3 album, 4 images, 5 view, 6 erase marks, 7 profiles, then the profiles of each model
--       version that the state was computed with, then images and slots of each sample that is offered something
-- ARGV  1 group, 2 consumer, 3 pet id, 4 token the state was computed from ('' for a new album), 5 new token
--       ('' if the album stays as it is), 6 erase mark seen at load or '', 7 view ('' to leave it), 8 view's life in s,
--       9 album's life in s (0: for ever), 10 most images of a sample, 11 most model versions that are sampled, then
--       counted lists: entry ids; album fields as name, value; image rows as id, value; album fields to delete; image
--       ids to delete; profiles as generation, digest; offers to samples as model version, place of its keys, slot,
--       priority, image (seven counts come first, lists follow)
-- Reply {'ok'}; {'conflict'} if the album or the erase mark moved on; {'lost', ids that are still ours...};
--       {'unfounded'} if one of the profiles is not the one that is stored
local stream, attempts_key, album, images, view, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local group, consumer = ARGV[1], ARGV[2]

local at = 19
local function take(count)
  local from = at
  at = at + tonumber(count)
  return {from = from, to = at - 1}
end
local ids, fields, rows = take(ARGV[12]), take(ARGV[13]), take(ARGV[14])
local old_fields, old_rows = take(ARGV[15]), take(ARGV[16])
local profiles, offers = take(ARGV[17]), take(ARGV[18])

-- In steps: a call takes a bounded number of values from Lua's stack. Even, so that pairs stay together.
local function write(command, key, list)
  for from = list.from, list.to, 1000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 999, list.to)))
  end
end

local function is_sampled(model_version)
  local state = redis.call('HGET', KEYS[7], model_version)
  if state then return not is_settled(state) end
  local open = 0
  for _, other in ipairs(redis.call('HVALS', KEYS[7])) do
    if not is_settled(other) then open = open + 1 end
  end
  if open >= tonumber(ARGV[11]) then return false end
  redis.call('HSET', KEYS[7], model_version, '0')
  return true
end

-- The slots of lowest priority stay, and the first image to come keeps its slot.
local function offer(sample, slots, slot, priority, image)
  if redis.call('ZSCORE', slots, slot) then return end
  if redis.call('ZCARD', slots) >= tonumber(ARGV[10]) then
    local last = redis.call('ZRANGE', slots, 0, 0, 'REV', 'WITHSCORES')
    if tonumber(priority) >= tonumber(last[2]) then return end
    redis.call('ZREM', slots, last[1])
    redis.call('HDEL', sample, last[1])
  end
  redis.call('ZADD', slots, priority, slot)
  redis.call('HSET', sample, slot, image)
end

local ours = {'lost'}
for i = ids.from, ids.to do
  if owns(stream, group, consumer, ARGV[i]) then ours[#ours + 1] = ARGV[i] end
end
if #ours - 1 < ids.to - ids.from + 1 then return ours end
if (redis.call('HGET', album, 'token') or '') ~= ARGV[4] then return {'conflict'} end
if (redis.call('HGET', erased, ARGV[3]) or '') ~= ARGV[6] then return {'conflict'} end
for i = profiles.from, profiles.to, 2 do
  local key = KEYS[8 + (i - profiles.from) / 2]
  if redis.call('HGET', key, digest_field(ARGV[i])) ~= ARGV[i + 1] then return {'unfounded'} end
end

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
for i = offers.from, offers.to, 5 do
  local key = tonumber(ARGV[i + 1])
  if is_sampled(ARGV[i]) then offer(KEYS[key], KEYS[key + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) end
end
for i = ids.from, ids.to do settle(stream, attempts_key, group, ARGV[i]) end
return {'ok'}
