-- A lone run of a suspect begins: one that was delivered twice or more without an outcome. Counted here and not when it
-- is claimed, or the suspects behind the one that ends the process would be counted with it.
-- KEYS  1 stream, 2 attempts
-- ARGV  1 group, 2 consumer, 3 entry id, 4 most lone runs, 5 '1' if its last one did no harm and does not count
-- Reply 'run'; 'crash_loop' if its lone runs are used up; 'lost' if the entry is not ours any more
local id = ARGV[3]
if not owns(KEYS[1], ARGV[1], ARGV[2], id) then return 'lost' end
local record = get_record(KEYS[2], id) or {attempts = 0, lone = 0, seen = 0}
if ARGV[5] ~= '1' then
  if record.lone >= tonumber(ARGV[4]) then return 'crash_loop' end
  record.lone = record.lone + 1
end
record.due = 0
put_record(KEYS[2], id, record)
return 'run'
