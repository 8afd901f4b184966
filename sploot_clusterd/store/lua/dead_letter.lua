-- Set a job aside with the reason, and settle its entry.
-- KEYS  1 stream, 2 attempts, 3 dead letters, 4 erase marks
-- ARGV  1 group, 2 consumer, 3 entry id, 4 most dead letters, 5 '~' or '=' (how exactly they are trimmed),
--       6 pet id or '', 7 first id, 8.. the letter as field, value
-- Reply {'ok', dead letters that the cap dropped}; {'erased'} if the pet was erased after the job was accepted: then
--       nothing of it is kept; {'lost'} if the entry is not ours any more
local stream, attempts_key, letters, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group, id = ARGV[1], ARGV[3]
local entry = pending_entry(stream, group, id)
local gone = #redis.call('XRANGE', stream, id, id) == 0
-- Whose entry it is matters only while there is something to run: one without a payload is anybody's to set aside.
if not entry or (entry[2] ~= ARGV[2] and not gone) then return {'lost'} end

local mark = ARGV[6] ~= '' and redis.call('HGET', erased, ARGV[6])
if mark and at_or_before(ARGV[7], mark) then
  settle(stream, attempts_key, group, id)
  return {'erased'}
end
local before = redis.call('XLEN', letters)
redis.call('XADD', letters, 'MAXLEN', ARGV[5], ARGV[4], '*', unpack(ARGV, 8))
local dropped = before + 1 - redis.call('XLEN', letters)
settle(stream, attempts_key, group, id)
return {'ok', dropped}
