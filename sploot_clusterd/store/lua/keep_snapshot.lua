-- Keep an album as it was for the job that goes back to it; or first of all its place, which an erasure takes away.
-- KEYS  snapshots, erasing
-- ARGV  pet_id; name; snapshot, '' for its place alone; life in s
-- Reply 1; 0 with nothing done, if the place is not there any more, or history is still to forget the pet
local snapshots, erasing = unpack(KEYS, 1, 2)
local pet_id, name, snapshot, life = unpack(ARGV, 1, 4)

if redis.call('HEXISTS', erasing, pet_id) == 1 then return 0 end
if snapshot ~= '' and redis.call('HEXISTS', snapshots, name) == 0 then return 0 end
redis.call('HSET', snapshots, name, snapshot)
redis.call('EXPIRE', snapshots, life)
return 1
