-- Put off entries that were not run, as older ones of their pets come first. Of suspects all stays as it was: this
-- delivery had an outcome, and a lone run that was counted did not begin.
-- KEYS  stream, attempts
-- ARGV  group, consumer; the list entries: each with the ms until it is due
-- Reply how many were put off; entries that are no longer ours are left to their owner
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer = unpack(ARGV, 1, 2)
local entries = list_after(2)

local now, written = now_ms(), 0
for i = entries.from, entries.to, 2 do
  local entry = pending_entry(stream, group, ARGV[i])
  if entry and entry[2] == consumer then
    local record = get_record(attempts, ARGV[i]) or {attempts = 0, lone = 0, seen = 0}
    record.due, record.seen = now + tonumber(ARGV[i + 1]), record.seen + 1
    record.lone = math.max(0, record.lone - 1)
    put_record(attempts, ARGV[i], record)
    written = written + 1
  else
    forgive(attempts, ARGV[i], entry, true)
  end
end
return written
