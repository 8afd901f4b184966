-- A page of dead letters without their payloads, the oldest first. Writes nothing.
-- KEYS  dead_letters
-- ARGV  from_id: an id, or '(' and an id to begin behind it; last_id wanted, or '' for the newest there is now; most:
--       letters of a page; most_bytes: of payloads to pass over: a long page would hold up every other client
-- Reply {where to go on, or '' at the end; the last id that will be given, to be passed on: what comes in meanwhile is
--        not for this listing; {id, bytes of the payload, {field, value, ...}}...}
local dead_letters = unpack(KEYS, 1, 1)
local from_id, last_id, most, most_bytes = unpack(ARGV, 1, 4)

local from, last = from_id, last_id
if redis.call('EXISTS', dead_letters) == 0 then return {'', last} end
local newest = last_generated_id(dead_letters)
if last == '' or at_or_before(newest, last) then last = newest end

local page, bytes = {'', last}, 0
while #page - 2 < tonumber(most) and bytes < tonumber(most_bytes) do
  local letter = redis.call('XRANGE', dead_letters, from, last, 'COUNT', 1)[1]
  if not letter then return page end
  local fields, size = {}, 0
  for i = 1, #letter[2], 2 do
    if letter[2][i] == 'payload' then
      size = #letter[2][i + 1]
    else
      fields[#fields + 1] = letter[2][i]
      fields[#fields + 1] = letter[2][i + 1]
    end
  end
  page[#page + 1] = {letter[1], size, fields}
  bytes = bytes + size
  from = '(' .. letter[1]
end
page[1] = from
return page
