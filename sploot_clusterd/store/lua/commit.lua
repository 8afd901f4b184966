-- Write one pet's new state and settle the entries that led to it: all of it, or nothing.
-- KEYS  stream, attempts, album, images, view, erased, profiles; then the profiles of each model version that the state
--       was computed with; then images and slots of each sample that is offered something
-- ARGV  group, consumer, pet_id; token: what the state was computed from ('' for a new album); new_token ('' if the album
--       stays as it is); mark: the erase mark seen at load, or ''; new_view ('' to leave it); view_life and album_life
--       in s (0: for ever); most_sampled: images of a sample; most_models: model versions that are sampled; the lists
--       entries; fields of the album, as name, value; rows, as image id, value; old_fields; old_rows: image ids;
--       used_profiles, as generation, digest; offers to samples, as model version, place of its keys, slot, priority,
--       image
-- Reply {'ok'}; {'conflict'} if the album or the erase mark moved on; {'lost', ids that are still ours...};
--       {'profile_changed'} if one of the profiles is not the one that is stored
local stream, attempts, album, images, view, erased, profiles = unpack(KEYS, 1, 7)
local group, consumer, pet_id, token, new_token, mark, new_view, view_life, album_life, most_sampled, most_models =
  unpack(ARGV, 1, 11)
local entries, fields, rows, old_fields, old_rows, used_profiles, offers = lists_after(11, 7)
local first_profile = 8

-- In steps: a call takes a bounded number of values from Lua's stack. Even, so that pairs stay together.
local function write(command, key, list)
  for from = list.from, list.to, 1000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 999, list.to)))
  end
end

local function holds(command, key)
  return type(redis.pcall(command, key)) == 'number'
end

local function is_sampled(model_version)
  local state = redis.call('HGET', profiles, model_version)
  if state then return not is_settled(state) end
  local open = 0
  for _, other in ipairs(redis.call('HVALS', profiles)) do
    if not is_settled(other) then open = open + 1 end
  end
  if open >= tonumber(most_models) then return false end
  redis.call('HSET', profiles, model_version, '0')
  return true
end

-- The slots of lowest priority stay, and the first image to come keeps its slot.
local function offer(sample, slots, slot, priority, image)
  if redis.call('ZSCORE', slots, slot) then return end
  if redis.call('ZCARD', slots) >= tonumber(most_sampled) then
    local last = redis.call('ZRANGE', slots, 0, 0, 'REV', 'WITHSCORES')
    if tonumber(priority) >= tonumber(last[2]) then return end
    redis.call('ZREM', slots, last[1])
    redis.call('HDEL', sample, last[1])
  end
  redis.call('ZADD', slots, priority, slot)
  redis.call('HSET', sample, slot, image)
end

local ours = {'lost'}
for i = entries.from, entries.to do
  if owns(stream, group, consumer, ARGV[i]) then ours[#ours + 1] = ARGV[i] end
end
if #ours - 1 < entries.to - entries.from + 1 then return ours end
if (redis.call('HGET', album, 'token') or '') ~= token then return {'conflict'} end
if (redis.call('HGET', erased, pet_id) or '') ~= mark then return {'conflict'} end
for i = used_profiles.from, used_profiles.to, 2 do
  local key = KEYS[first_profile + (i - used_profiles.from) / 2]
  if redis.call('HGET', key, digest_field(ARGV[i])) ~= ARGV[i + 1] then return {'profile_changed'} end
end

-- First what may turn out to be of another type, of which nothing was read: then nothing is changed by the error.
if offers.to >= offers.from then redis.call('HLEN', profiles) end
if new_view ~= '' and is_no_text(view) then return redis.error_reply(WRONG_TYPE) end
write('HDEL', attempts, entries)
if new_token ~= '' then
  write('HSET', images, rows)
  write('HDEL', images, old_rows)
  write('HSET', album, fields)
  write('HDEL', album, old_fields)
  redis.call('HSET', album, 'token', new_token)
  if tonumber(album_life) > 0 then
    redis.call('EXPIRE', album, album_life)
    redis.call('EXPIRE', images, album_life)
  else
    redis.call('PERSIST', album)  -- the setting may have been another before
    redis.call('PERSIST', images)
  end
end
if new_view ~= '' then redis.call('SET', view, new_view, 'EX', view_life) end
for i = offers.from, offers.to, 5 do
  local key = tonumber(ARGV[i + 1])
  -- Where another type is in the sample's place, no job suffers from it.
  if is_sampled(ARGV[i]) and holds('HLEN', KEYS[key]) and holds('ZCARD', KEYS[key + 1]) then
    offer(KEYS[key], KEYS[key + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
  end
end
for i = entries.from, entries.to do
  redis.call('XACK', stream, group, ARGV[i])
  redis.call('XDEL', stream, ARGV[i])
end
return {'ok'}
