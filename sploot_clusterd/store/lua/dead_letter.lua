-- Set a job aside with the reason, and settle its entry.
-- KEYS  stream, attempts, dead_letters, letter_sizes, letter_pets, erased, jobs; then, where the feed is told, the pet's
--       album, feed and feed_index
-- ARGV  group, consumer, entry, most_letters; most_bytes that they may take in all; pet_id and other_pet_id, or '';
--       first_id; jobs_life: of what the pet is told, in s; told: how that ends, '' where it is told nothing; the lists
--       letter, as field, value; fed: where the feed is told, of which job, as JSON, and when, in ms
-- Reply {'ok', dead letters that the cap dropped}; {'erased'} if either pet was erased after the job was accepted: then
--       nothing of it is kept; {'lost'} if the entry is not ours any more
local stream, attempts, dead_letters, letter_sizes, letter_pets, erased, jobs = unpack(KEYS, 1, 7)
local group, consumer, entry, most_letters, most_bytes, pet_id, other_pet_id, first_id, jobs_life, told =
  unpack(ARGV, 1, 10)
local letter, fed = lists_after(10)

redis.call('HLEN', attempts)  -- of the right type, or nothing is written
check_index(dead_letters, letter_sizes, letter_pets)
local album, feed, feed_index = KEYS[8], KEYS[9], KEYS[10]
local feed_length, known, held
if feed then
  feed_length, known = redis.call('XLEN', feed), redis.call('HMGET', feed_index, TOTAL, pet_id)
  held = redis.call('HMGET', album, 'token', 'incarnation')
end
local pending = pending_entry(stream, group, entry)
local gone = #redis.call('XRANGE', stream, entry, entry) == 0
-- Whose entry it is matters only while there is something to run: one without a payload is anybody's to set aside.
if not pending or (pending[2] ~= consumer and not gone) then
  forgive(attempts, entry, pending, true)
  return {'lost'}
end

if is_erased(erased, pet_id, first_id) or is_erased(erased, other_pet_id, first_id) then
  settle(stream, attempts, group, entry)
  return {'erased'}
end
local was_whole = is_index_whole(dead_letters, letter_sizes)
local id, fields = redis.call('XADD', dead_letters, '*', unpack(ARGV, letter.from, letter.to)), {}
for i = letter.from, letter.to do fields[#fields + 1] = ARGV[i] end
index_letter(letter_sizes, letter_pets, id, fields)
redis.call('HSET', letter_sizes, 'last', was_whole and id or '')

local function are_too_many()
  local letters = redis.call('XLEN', dead_letters)
  local bytes = tonumber(redis.call('HGET', letter_sizes, 'bytes') or 0)
  return letters > tonumber(most_letters) or (letters > 1 and bytes > tonumber(most_bytes))
end

-- Where a cap was lowered, the next letters go on.
local dropped, read = 0, 0
while dropped < 1000 and read < 8 * 1024 * 1024 and are_too_many() do
  local oldest = redis.call('XRANGE', dead_letters, '-', '+', 'COUNT', 1)[1]
  for i = 2, #oldest[2], 2 do read = read + #oldest[2][i] end
  dropped = dropped + drop_letter(dead_letters, letter_sizes, letter_pets, oldest)
end
if told ~= '' then tell(jobs, jobs_life, string.format('d %.0f %s', now_ms(), told)) end
if feed then
  local job, now = unpack(ARGV, fed.from, fed.to)
  local token, life = held[1] or '', held[2] or ''
  add_event(feed, feed_index, feed_length, known, pet_id, now, '"kind":"dead","incarnation":"' .. life ..
    '","before":"' .. token .. '","after":"' .. token .. '","change":null,"job":' .. job .. '}')
end
settle(stream, attempts, group, entry)
return {'ok', dropped}
