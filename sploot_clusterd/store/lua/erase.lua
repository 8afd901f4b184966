-- Forget a pet, and keep what was accepted before now from bringing it back.
-- KEYS  stream, album, images, view, erased, dead_letters, profiles, wanted, asked, untold, dropped, snapshots, jobs,
--       wants, tellings, feed, feed_index, erasing; then images and slots of the sample of each model version
-- ARGV  pet_id; tells: 1 if the feed is told of it, else 0; remembers: 1 if history has to forget it, too; the lists
--       slots, that it may have in a sample, and models
-- Reply {'ok', how much there was of the pet, the id of its last event in the feed or ''}; or, with nothing changed,
--       {'models', all there are}
local stream, album, images, view, erased, dead_letters, profiles, wanted, asked, untold, dropped, snapshots, jobs,
  wants, tellings, feed, feed_index, erasing = unpack(KEYS, 1, 18)
local pet_id, tells, remembers = unpack(ARGV, 1, 3)
local slots, models = lists_after(3)

local stored, given = redis.call('HKEYS', profiles), {}
for i = models.from, models.to do given[ARGV[i]] = true end
for _, model_version in ipairs(stored) do
  if not given[model_version] then return {'models', stored} end
end
-- Nothing older can still be applied where the stream is empty, as entries are deleted when they are settled, and where
-- no dead letter could be put back before it is deleted, too. Asked before anything is written: of the right types.
local older = redis.call('XLEN', stream) > 0 or redis.call('XLEN', dead_letters) > 0
for _, key in ipairs({erased, erasing}) do redis.call('HLEN', key) end
for _, key in ipairs({wants, tellings}) do redis.call('ZCARD', key) end
local feed_length, known = redis.call('XLEN', feed), redis.call('HMGET', feed_index, TOTAL, pet_id)
local held = redis.call('HMGET', album, 'token', 'incarnation')

local gone = redis.call('UNLINK', album, images, view, wanted, asked, untold, dropped, snapshots, jobs)
for _, key in ipairs({wants, tellings}) do redis.call('ZREM', key, pet_id) end
for key = 19, #KEYS, 2 do
  -- A key of another type holds no slot.
  local deleted = redis.pcall('HDEL', KEYS[key], unpack(ARGV, slots.from, slots.to))
  gone = gone + (type(deleted) == 'number' and deleted or 0)
  redis.pcall('ZREM', KEYS[key + 1], unpack(ARGV, slots.from, slots.to))
end
if older and redis.call('EXISTS', stream) == 1 then
  local last_id = last_generated_id(stream)
  -- Made anew, such a stream goes on from the present time: the mark must not outlast that.
  if last_id == highest_id then last_id = string.format('%.0f-%s', now_ms(), largest_part) end
  redis.call('HSET', erased, pet_id, last_id)
else
  redis.call('HDEL', erased, pet_id)
end
local now = string.format('%.0f', now_ms())
if tonumber(remembers) > 0 then redis.call('HSET', erasing, pet_id, now) end
if tonumber(tells) > 0 then
  local life, before = held[2] or '', held[1] or ''
  add_event(feed, feed_index, feed_length, known, pet_id, now, '"kind":"erased","incarnation":"' .. life ..
    '","before":"' .. before .. '","after":"","change":null}')
end
return {'ok', gone, known[2] or ''}
