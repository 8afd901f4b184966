-- Put before scripts that look at what is in the feed.
--
-- The last id that was given, and the bytes of all, as the index has them.
local function totals_of(text)
  local last, bytes = string.match(text or '', '^(%d+%-%d+) (%d+)$')
  return last or '', tonumber(bytes or 0)
end

-- The pet of an entry, and the id of the pet's entry before it; nothing of another hand's.
local function event_of(entry)
  local pet_id, earlier = string.match(entry[2][2], '^{"pet_id":"([^"]*)","earlier":"([^"]*)"')
  return pet_id or '', earlier or ''
end

local function entry_size(entry)
  local size = BESIDE
  for i = 2, #entry[2], 2 do size = size + #entry[2][i] end
  return size
end

-- Deletes entries, given as XRANGE gives them; pets whose last ones went have none.
local function drop_entries(feed, feed_index, entries)
  if #entries == 0 then return end
  local ids, pets, freed = {}, {}, 0
  for i, entry in ipairs(entries) do
    ids[i], pets[i], freed = entry[1], event_of(entry), freed + entry_size(entry)
  end
  redis.call('XDEL', feed, unpack(ids))
  local known, gone = redis.call('HMGET', feed_index, TOTAL, unpack(pets)), {}
  for i, id in ipairs(ids) do
    if known[i + 1] == id then gone[#gone + 1] = pets[i] end
  end
  if #gone > 0 then redis.call('HDEL', feed_index, unpack(gone)) end
  local last, bytes = totals_of(known[1])
  redis.call('HSET', feed_index, TOTAL, last .. ' ' .. math.max(0, bytes - freed))
end
