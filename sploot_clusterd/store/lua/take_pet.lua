-- All that is kept of a pet, to be put into another partition. Writes nothing.
-- KEYS  album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings
-- ARGV  pet_id
-- Reply {per key of the pet what RESTORE takes, '' if there is nothing, and the ms that it has to live, 0 for ever; when its
--       first want is due, when the storage service is to be told of it: '' for not at all}
local album, images, view, wanted, asked, untold, dropped, snapshots, jobs, wants, tellings = unpack(KEYS, 1, 11)
local pet_id = unpack(ARGV, 1, 1)

local reply = {}
for _, key in ipairs({album, images, view, wanted, asked, untold, dropped, snapshots, jobs}) do
  reply[#reply + 1] = redis.call('DUMP', key) or ''
  reply[#reply + 1] = math.max(0, redis.call('PTTL', key))
end
reply[#reply + 1] = redis.call('ZSCORE', wants, pet_id) or ''
reply[#reply + 1] = redis.call('ZSCORE', tellings, pet_id) or ''
return reply
