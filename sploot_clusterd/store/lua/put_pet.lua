-- Put a pet into this partition, as it was taken from another one. Once or twice: it comes to the same.
-- KEYS  album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings
-- ARGV  pet_id; the list taken: what was replied to `take_pet`
-- Reply 1
local album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings = unpack(KEYS, 1, 11)
local pet_id = unpack(ARGV, 1, 1)
local taken = list_after(1)

for _, key in ipairs({wants, tellings}) do redis.call('ZCARD', key) end  -- of the right types, or nothing is written
for n, key in ipairs({album, images, view, wanted, asked, untold, dropped, snapshots, jobs}) do
  local dump, life = ARGV[taken.from + 2 * n - 2], ARGV[taken.from + 2 * n - 1]
  if dump ~= '' then redis.call('RESTORE', key, life, dump, 'REPLACE') end
end
for n, key in ipairs({wants, tellings}) do
  local due = ARGV[taken.from + 17 + n]
  if due ~= '' then redis.call('ZADD', key, due, pet_id) end
end
return 1
