-- Drop a pet's view.
-- KEYS  view
-- ARGV  pet_id
-- Reply 1 if there was one
local view = unpack(KEYS, 1, 1)
local pet_id = unpack(ARGV, 1, 1)

return redis.call('UNLINK', view)
