-- Set a job aside with the reason, and settle its entry.
-- KEYS  stream, attempts, dead_letters, erased
-- ARGV  group, consumer, entry, most_letters; trim: '~' or '=', how exactly; pet_id or ''; first_id; the list letter, as
--       field, value
-- Reply {'ok', dead letters that the cap dropped}; {'erased'} if the pet was erased after the job was accepted: then
--       nothing of it is kept; {'lost'} if the entry is not ours any more
local stream, attempts, dead_letters, erased = unpack(KEYS, 1, 4)
local group, consumer, entry, most_letters, trim, pet_id, first_id = unpack(ARGV, 1, 7)
local letter = lists_after(7, 1)

redis.call('HLEN', attempts)  -- of the right type, or nothing is written
local pending = pending_entry(stream, group, entry)
local gone = #redis.call('XRANGE', stream, entry, entry) == 0
-- Whose entry it is matters only while there is something to run: one without a payload is anybody's to set aside.
if not pending or (pending[2] ~= consumer and not gone) then return {'lost'} end

local mark = pet_id ~= '' and redis.call('HGET', erased, pet_id)
if mark and at_or_before(first_id, mark) then
  settle(stream, attempts, group, entry)
  return {'erased'}
end
local before = redis.call('XLEN', dead_letters)
redis.call('XADD', dead_letters, 'MAXLEN', trim, most_letters, '*', unpack(ARGV, letter.from, letter.to))
local dropped = before + 1 - redis.call('XLEN', dead_letters)
settle(stream, attempts, group, entry)
return {'ok', dropped}
