-- Some events behind a place. Writes nothing.
-- KEYS  feed, feed_index
-- ARGV  place: the id of the event before them, or its sequence alone; '' for the oldest there are; most: events;
--       most_bytes: of their values, from which on there are no more
-- Reply {events, the last id that was ever given or '', 1 if there is nothing missing between the place and them, else 0}
local feed, feed_index = unpack(KEYS, 1, 2)
local place, most, most_bytes = unpack(ARGV, 1, 3)

local sequence = tonumber(string.match(place, '^%d+') or 0)
local is_whole = string.find(place, '-', 1, true) ~= nil
local last = totals_of(redis.call('HGET', feed_index, TOTAL))

-- Whether an id is the place.
local function is_place(id)
  if is_whole then return id == place end
  return (tonumber(string.match(id, '^%d+')) or 0) == sequence
end

local events, bytes = {}, 0
local from = string.format('%.0f', sequence + 1)
while #events < tonumber(most) and bytes < tonumber(most_bytes) do
  local page = redis.call('XRANGE', feed, from, '+', 'COUNT', math.min(32, most - #events))
  if #page == 0 then break end
  for _, entry in ipairs(page) do
    events[#events + 1] = entry
    bytes = bytes + entry_size(entry)
    if bytes >= tonumber(most_bytes) then break end
  end
  from = '(' .. events[#events][1]
end

if place == '' then return {events, last, 1} end
local first = last
if #events > 0 then
  first = string.match(events[1][2][2], '"previous":"([^"]*)"') or ''
end
local there = is_place(first) or #redis.call('XRANGE', feed, place, place) > 0
return {events, last, there and 1 or 0}
