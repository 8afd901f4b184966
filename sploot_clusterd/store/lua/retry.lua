-- Write down how runs ended that are to be tried again; the entries stay pending until they are due.
-- KEYS  stream, attempts, erased; then lists of what became of pets' jobs
-- ARGV  group, consumer; jobs_life: of these in s; the list retries: per entry its id, real failures so far, ms until it is
--       due, and, where the pet is told of the failure, the place of its list among the keys, 0 where not; the pet, the
--       first id, the job and the error
-- Reply how many were written; entries that are no longer ours are left to their owner
local stream, attempts, erased = unpack(KEYS, 1, 3)
local group, consumer, jobs_life = unpack(ARGV, 1, 3)
local retries = list_after(3)

local now, written = now_ms(), 0

local function tell_failed(i, due)
  local place, pet, first_id, job, text = tonumber(ARGV[i + 3]), unpack(ARGV, i + 4, i + 7)
  if place == 0 or is_erased(erased, pet, first_id) then return end
  tell(KEYS[place], jobs_life, string.format('r %.0f %s %d %.0f %s', now, job, ARGV[i + 1], due, text))
end

redis.call('HLEN', erased)  -- of the right type, or nothing is written
for i = retries.from, retries.to, 8 do
  local entry = pending_entry(stream, group, ARGV[i])
  if entry and entry[2] == consumer then
    local due = now + tonumber(ARGV[i + 2])
    put_record(attempts, ARGV[i], {attempts = tonumber(ARGV[i + 1]), due = due, lone = 0, seen = entry[4]})
    tell_failed(i, due)
    written = written + 1
  else
    forgive(attempts, ARGV[i], entry, true)
  end
end
return written
