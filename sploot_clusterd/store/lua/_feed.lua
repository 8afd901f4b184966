-- The change feed of a partition, for the scripts that add to it or take from it.
--
-- `feed` is its stream; an entry's id is its sequence and the time in ms, its one field the event as JSON. `feed_index` is
-- a hash: '*' is the id of the last entry that was ever added and what all that are there take, and by pet the id of its
-- last entry that is there. No pet is called so.
local TOTAL = '*'
local BESIDE = 200  -- roughly what an entry takes beside its text, in both

-- Adds an event, of which `rest` is the JSON from the kind on: known are the feed's length, and of the index the totals
-- and the pet's last entry, read before anything was written, for then both keys are of their types. The bytes of all.
local function add_event(feed, feed_index, length, known, pet_id, now, rest)
  local last, bytes = string.match(known[1] or '', '^(%d+%-%d+) (%d+)$')
  local earlier = known[2] or ''
  last, bytes = last or '', bytes or 0
  if length == 0 then
    redis.call('UNLINK', feed_index)  -- what it has of pets is of entries that expired
    bytes, earlier = 0, ''
  end
  local id = (tonumber(string.match(last, '^%d+')) or 0) + 1 .. '-' .. now
  local event = '{"pet_id":"' .. pet_id .. '","earlier":"' .. earlier .. '","previous":"' .. last .. '",' .. rest
  -- Refused only where the index is lost, or another hand added an entry: then the feed begins anew, as readers find out.
  if type(redis.pcall('XADD', feed, id, 'event', event)) == 'table' then
    redis.call('UNLINK', feed)
    redis.call('XADD', feed, id, 'event', event)
    bytes = 0
  end
  bytes = bytes + BESIDE + #event
  redis.call('HSET', feed_index, TOTAL, id .. ' ' .. bytes, pet_id, id)
  return bytes
end
