-- Forget a pet that was put into another partition.
-- KEYS  album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings
-- ARGV  pet_id
-- Reply how many keys there were
local album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings = unpack(KEYS, 1, 11)
local pet_id = unpack(ARGV, 1, 1)

for _, key in ipairs({wants, tellings}) do redis.call('ZREM', key, pet_id) end
return redis.call('UNLINK', album, images, view, wanted, asked, untold, dropped, snapshots, jobs)
