-- Set a job aside with the reason, and settle its entry.
-- KEYS  stream, attempts, dead_letters, erased
-- ARGV  group, consumer, entry, most_letters; trim: '~' or '=', how exactly; pet_id and other_pet_id, or ''; first_id; the list letter, as
--       field, value
-- Reply {'ok', dead letters that the cap dropped}; {'erased'} if either pet was erased after the job was accepted: then
--       nothing of it is kept; {'lost'} if the entry is not ours any more
local stream, attempts, dead_letters, erased = unpack(KEYS, 1, 4)
local group, consumer, entry, most_letters, trim, pet_id, other_pet_id, first_id = unpack(ARGV, 1, 8)
local letter = lists_after(8, 1)

redis.call('HLEN', attempts)  -- of the right type, or nothing is written
local pending = pending_entry(stream, group, entry)
local gone = #redis.call('XRANGE', stream, entry, entry) == 0
-- Whose entry it is matters only while there is something to run: one without a payload is anybody's to set aside.
if not pending or (pending[2] ~= consumer and not gone) then return {'lost'} end

if is_erased(erased, pet_id, first_id) or is_erased(erased, other_pet_id, first_id) then
  settle(stream, attempts, group, entry)
  return {'erased'}
end
local before = redis.call('XLEN', dead_letters)
redis.call('XADD', dead_letters, 'MAXLEN', trim, most_letters, '*', unpack(ARGV, letter.from, letter.to))
local dropped = before + 1 - redis.call('XLEN', dead_letters)
settle(stream, attempts, group, entry)
return {'ok', dropped}
