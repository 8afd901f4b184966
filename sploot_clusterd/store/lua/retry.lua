-- Write down how runs ended that are to be tried again; the entries stay pending until they are due.
-- KEYS  1 stream, 2 attempts
-- ARGV  1 group, 2 consumer, then per entry: id, real failures so far, ms until it is due
-- Reply how many were written; entries that are no longer ours are left to their owner
local now, written = now_ms(), 0
for i = 3, #ARGV, 3 do
  local entry = pending_entry(KEYS[1], ARGV[1], ARGV[i])
  if entry and entry[2] == ARGV[2] then
    local due = now + tonumber(ARGV[i + 2])
    put_record(KEYS[2], ARGV[i], {attempts = tonumber(ARGV[i + 1]), due = due, lone = 0, seen = entry[4]})
    written = written + 1
  end
end
return written
