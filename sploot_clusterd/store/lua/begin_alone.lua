-- A lone run of a suspect begins: one that was delivered twice or more without an outcome. Counted here and not when it
-- is claimed, or the suspects behind the one that ends the process would be counted with it.
-- KEYS  stream, attempts
-- ARGV  group, consumer, entry, most_lone_runs; harmless: '1' if its last one did no harm and does not count
-- Reply 'run'; 'crash_loop' if its lone runs are used up; 'lost' if the entry is not ours any more
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer, entry, most_lone_runs, harmless = unpack(ARGV, 1, 5)

if not owns(stream, group, consumer, entry) then return 'lost' end
local record = get_record(attempts, entry) or {attempts = 0, lone = 0, seen = 0}
if harmless ~= '1' then
  if record.lone >= tonumber(most_lone_runs) then return 'crash_loop' end
  record.lone = record.lone + 1
end
record.due = 0
put_record(attempts, entry, record)
return 'run'
