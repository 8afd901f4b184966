-- Where the events of a pet's changes are in the feed, the newest first, some of them. Writes nothing.
-- KEYS  feed
-- ARGV  pet_id; from_id: the last one to look at; most: events that are looked at
-- Reply {id to go on with, or '' at the end; ids}
local feed = unpack(KEYS, 1, 1)
local pet_id, from_id, most = unpack(ARGV, 1, 3)

local ids, at = {}, from_id
for _ = 1, tonumber(most) do
  -- What is not there was trimmed, and all that is older; or was deleted by an erasure that was not finished, after that.
  local entry = at ~= '' and redis.call('XRANGE', feed, at, at)[1]
  if not entry then return {'', ids} end
  local pet, earlier = event_of(entry)
  if pet ~= pet_id then return {'', ids} end
  if not string.find(entry[2][2], '"change":null}', -14, true) then ids[#ids + 1] = at end
  at = earlier
end
return {at, ids}
