-- Write down how runs ended that are to be tried again; the entries stay pending until they are due.
-- KEYS  stream, attempts
-- ARGV  group, consumer; the list retries: per entry its id, real failures so far, ms until it is due
-- Reply how many were written; entries that are no longer ours are left to their owner
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer = unpack(ARGV, 1, 2)
local retries = lists_after(2, 1)

local now, written = now_ms(), 0
for i = retries.from, retries.to, 3 do
  local entry = pending_entry(stream, group, ARGV[i])
  if entry and entry[2] == consumer then
    local due = now + tonumber(ARGV[i + 2])
    put_record(attempts, ARGV[i], {attempts = tonumber(ARGV[i + 1]), due = due, lone = 0, seen = entry[4]})
    written = written + 1
  else
    forgive(attempts, ARGV[i], entry, true)
  end
end
return written
