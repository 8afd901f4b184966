-- Write one pet's new state and settle the entries that led to it: all of it, or nothing.
-- KEYS  stream, attempts, album, images, view, erased; then the profiles of each model version that the state was computed
--       with; then, where something is offered, profiles, and images and slots of each sample; then, where insights are
--       fetched, wanted, asked, untold, wants and tellings; then, where changes are fed, feed and feed_index; at last, where
--       pets are told of their jobs, jobs
-- ARGV  group, consumer, pet_id; token: what the state was computed from ('' for a new album); mark: the erase mark seen at
--       load, or ''; new_view ('' to leave it); view_life and album_life in s (0: for ever); the lists
--       entries; fields of the album, as name, value, the new token first (none if the album stays as it is); rows, as
--       image id, value; old_fields; old_rows: image ids; used_profiles, as generation, digest; offers to samples: the
--       place of profiles, how many images a sample has, how many model versions are sampled, then each as model version,
--       place of its keys, slot, priority, image; insights: where they are fetched, the place of their keys, in which trace they are wanted
--       ('' where none is known), and the rest of the view, before which the number of those belongs that the pet wants
--       ('': nowhere); new_wants and old_wants: image ids; untold: as image id, what the storage service is to be told of
--       it, '' if nothing any more; fed: where changes are, the place of these keys, what the event tells, as JSON, and
--       when, in ms; told: how long what became of jobs is kept, in s, and that
-- Reply the bytes that the feed takes, 0 where it is not told; or {'conflict'} if the album or the erase mark moved on;
--       {'lost', ids that are still ours...}; {'profile_changed'} if one of the profiles is not the one that is stored
local stream, attempts, album, images, view, erased = unpack(KEYS, 1, 6)
local group, consumer, pet_id, token, mark, new_view, view_life, album_life = unpack(ARGV, 1, 8)
local entries, fields, rows, old_fields, old_rows, used_profiles, offers, insights, new_wants, old_wants, untold, fed, told =
  lists_after(8)
local first_profile = 7
local changes = fields.to > 0

-- In steps: a call takes a bounded number of values from Lua's stack. Even, so that pairs stay together.
local function write(command, key, list)
  for from = list.from, list.to, 1000 do
    redis.call(command, key, unpack(ARGV, from, math.min(from + 999, list.to)))
  end
end

local function let_live(key)
  if album_life ~= '0' then
    return redis.call('EXPIRE', key, album_life)
  end
  return redis.call('PERSIST', key)  -- the setting may have been another before
end

local lost, was_tried
for i = entries.from, entries.to do
  local entry = pending_entry(stream, group, ARGV[i])
  if not entry or entry[2] ~= consumer then
    lost = lost or {}
    lost[ARGV[i]] = entry or false
  elseif entry[4] > 1 then
    was_tried = true
  end
end
if lost then
  -- with forgive
  local ours = {'lost'}
  for i = entries.from, entries.to do
    if lost[ARGV[i]] == nil then ours[#ours + 1] = ARGV[i] end
  end
  for id, entry in pairs(lost) do forgive(attempts, id, entry, true) end
  return ours
end
if (redis.call('HGET', album, 'token') or '') ~= token then return {'conflict'} end
if (redis.call('HGET', erased, pet_id) or '') ~= mark then return {'conflict'} end
for i = used_profiles.from, used_profiles.to, 2 do
  local key = KEYS[first_profile + (i - used_profiles.from) / 2]
  if redis.call('HGET', key, digest_field(ARGV[i])) ~= ARGV[i + 1] then return {'profile_changed'} end
end

-- First what may turn out to be of another type, of which nothing was read: then nothing is changed by the error.
local profiles, states
if offers.to > 0 then
  profiles, states = KEYS[tonumber(ARGV[offers.from])], {}
  for i = offers.from + 3, offers.to, 5 do
    if states[ARGV[i]] == nil then states[ARGV[i]] = redis.call('HGET', profiles, ARGV[i]) end
  end
end
if new_view ~= '' and not text_or_none(view) then return redis.error_reply(WRONG_TYPE) end

-- What is done of insights, made only where they are fetched: each call makes all functions anew.
local count_wants, write_wants, write_untold
local count, rest_of_view = 0, ''
if insights.to > 0 then
  -- with now_ms requeue get_asked put_asked
  local first_key, trace
  first_key, trace, rest_of_view = unpack(ARGV, insights.from, insights.to)
  local wanted_key, asked_key, untold_key, wants_key, tellings_key = unpack(KEYS, first_key, first_key + 4)

  -- What is wanted already, and waits as it was asked for in vain, is asked for at once: whoever names it again may know
  -- that it is there now. So is a list that is on its way.
  local function want(image, now)
    if redis.call('ZADD', wanted_key, 'NX', now, image) == 0 then
      local how = get_asked(asked_key, image)
      if not (how.since > 0 or (image == '*' and how.handed > 0)) then return end
      redis.call('HDEL', asked_key, image)
      redis.call('ZADD', wanted_key, now, image)
    end
    if trace ~= '' then put_asked(asked_key, image, {since = 0, takes = 0, handed = 0, trace = trace}) end
  end

  -- A list only where it was handed over, and not wanted again since. Whether it was wanted.
  local function unwant(image)
    if image == '*' and get_asked(asked_key, image).handed == 0 then return false end
    if redis.call('ZREM', wanted_key, image) == 0 then return false end
    redis.call('HDEL', asked_key, image)
    return true
  end

  -- How many wants the pet has; and a look at what will be written is of the right type.
  function count_wants()
    local wanted = redis.call('ZCARD', wanted_key)
    if wanted > 0 or new_wants.to > 0 then
      redis.call('HLEN', asked_key)
      redis.call('ZCARD', wants_key)
    end
    if untold.to > 0 then
      redis.call('HLEN', untold_key)
      redis.call('ZCARD', tellings_key)
    end
    return wanted
  end

  -- Of a pet that had so many wants; how many it has then.
  function write_wants(wanted)
    local changed = new_wants.to > 0
    if wanted > 0 then
      for i = old_wants.from, old_wants.to do changed = unwant(ARGV[i]) or changed end
    end
    if not changed then return wanted end
    local now = now_ms()
    for i = new_wants.from, new_wants.to do want(ARGV[i], now) end
    requeue(wants_key, pet_id, wanted_key)
    let_live(wanted_key)
    let_live(asked_key)
    return redis.call('ZCARD', wanted_key)
  end

  function write_untold()
    if untold.to == 0 then return end
    for i = untold.from, untold.to, 2 do
      if ARGV[i + 1] == '' then
        redis.call('HDEL', untold_key, ARGV[i])
      else
        redis.call('HSET', untold_key, ARGV[i], ARGV[i + 1])
      end
    end
    redis.call('ZADD', tellings_key, 'NX', now_ms(), pet_id)
    let_live(untold_key)
  end

  count = count_wants()
end
-- Of a commit that leaves the album as it is the feed is not told.
local feed, feed_index, feed_length, known, life
if fed.to > 0 and changes then
  local key = tonumber(ARGV[fed.from])
  feed, feed_index = KEYS[key], KEYS[key + 1]
  feed_length, known = redis.call('XLEN', feed), redis.call('HMGET', feed_index, TOTAL, pet_id)
  life = redis.call('HGET', album, 'incarnation')
end

-- What has a record, because a run of it failed or was put off, was delivered again since.
if was_tried then write('HDEL', attempts, entries) end
if changes then
  write('HSET', images, rows)
  write('HDEL', images, old_rows)
  write('HSET', album, fields)
  write('HDEL', album, old_fields)
  -- Both live alike, except where images are left of an album that has gone.
  if let_live(album) == 1 or token == '' then let_live(images) end
  if count_wants then
    count = write_wants(count)
    write_untold()
  end
end
if rest_of_view ~= '' then new_view = new_view .. count .. rest_of_view end
if new_view ~= '' then redis.call('SET', view, new_view, 'EX', view_life) end
if offers.to > 0 then
  -- with is_settled
  local most_sampled, most_models = tonumber(ARGV[offers.from + 1]), tonumber(ARGV[offers.from + 2])

  local function is_sampled(model_version)
    if states[model_version] then return not is_settled(states[model_version]) end
    local open = 0
    for _, other in ipairs(redis.call('HVALS', profiles)) do
      if not is_settled(other) then open = open + 1 end
    end
    if open >= most_models then return false end
    redis.call('HSET', profiles, model_version, '0')
    states[model_version] = '0'
    return true
  end

  -- The slots of lowest priority stay, and the first image to come keeps its slot. Where another type is in the sample's
  -- place, no job suffers from it.
  local function offer(sample, slots, slot, priority, image)
    if redis.pcall('ZSCORE', slots, slot) then return end  -- it has its image, or there are no slots
    local last
    if redis.call('ZCARD', slots) >= most_sampled then
      last = redis.call('ZRANGE', slots, 0, 0, 'REV', 'WITHSCORES')
      if tonumber(priority) >= tonumber(last[2]) then return end
    end
    if type(redis.pcall('HSET', sample, slot, image)) ~= 'number' then return end
    redis.call('ZADD', slots, priority, slot)
    if last then
      redis.call('ZREM', slots, last[1])
      redis.call('HDEL', sample, last[1])
    end
  end

  for i = offers.from + 3, offers.to, 5 do
    local key = tonumber(ARGV[i + 1])
    if is_sampled(ARGV[i]) then offer(KEYS[key], KEYS[key + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]) end
  end
end
local bytes = 0
if feed then
  -- with add_event
  local new_token = ARGV[fields.from + 1]
  -- A life of the pet bears the nonce of its first commit, or of the first one of which the feed was told.
  if not life then
    life = string.match(new_token, '^[^.]*')
    redis.call('HSET', album, 'incarnation', life)
  end
  local change, now = unpack(ARGV, fed.from + 1, fed.to)
  bytes = add_event(feed, feed_index, feed_length, known, pet_id, now, '"kind":"changed","incarnation":"' .. life ..
    '","before":"' .. token .. '","after":"' .. new_token .. '","change":' .. change .. '}')
end
if told.to > 0 then tell(KEYS[#KEYS], unpack(ARGV, told.from, told.to)) end
settle_listed(stream, group, entries)
return bytes
