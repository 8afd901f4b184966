-- Put a dead letter's job back into the stream, at its first place in the order, and delete the letter.
-- KEYS  stream, dead_letters, letter_sizes, letter_pets, erased, jobs
-- ARGV  letter_id; most_jobs: unsettled entries that the stream may hold; pet_id; told_job: the job of which that pet is
--       told, '' for none; jobs_life: of what it is told, in s; instead: the payload to put back, '' for the letter's own
-- Reply 'replayed'; or, with nothing changed: 'gone' (no such letter, any more), 'empty' (it has no payload),
--       'erased' (the pet was erased after the job was accepted), 'full' (the stream is)
local stream, dead_letters, letter_sizes, letter_pets, erased, jobs = unpack(KEYS, 1, 6)
local letter_id, most_jobs, pet_id, told_job, jobs_life, instead = unpack(ARGV, 1, 6)

local letter = redis.call('XRANGE', dead_letters, letter_id, letter_id)[1]
if not letter then return 'gone' end
local fields = {}
for i = 1, #letter[2], 2 do fields[letter[2][i]] = letter[2][i + 1] end
local payload = instead ~= '' and instead or fields.payload or ''
if payload == '' then return 'empty' end

-- A letter of another's making may lack its place: it is not later than the letter itself, so nothing newer is undone.
local first_id = fields.first_id or ''
if not string.match(first_id, '^%d+-%d+$') then first_id = letter[1] end
if is_erased(erased, fields.pet_id or '', first_id) or is_erased(erased, fields.other_pet_id or '', first_id) then
  return 'erased'
end
if redis.call('XLEN', stream) >= tonumber(most_jobs) then return 'full' end

check_index(dead_letters, letter_sizes, letter_pets)
local entry = redis.call('XADD', stream, '*', 'payload', payload, 'first_id', first_id)
if told_job ~= '' and fields.pet_id == pet_id then tell_queued(jobs, jobs_life, entry, told_job) end
drop_letter(dead_letters, letter_sizes, letter_pets, letter)
return 'replayed'
