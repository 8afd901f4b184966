-- Unsettled entries that name a pet, the newest first: of a bounded part of the stream, and called until the cursor is '' or
-- enough was looked through. Writes nothing.
-- KEYS  stream
-- ARGV  pet_id; cursor ('' to begin); page_size: entries to look at; most_bytes: that these may have, but for the last one
-- Reply {next cursor or '' at the end, {entry, fields as [field, value, ...]}...}. An id that is written with escapes is
--       not seen, and what only quotes one is among them.
local stream = unpack(KEYS, 1, 1)
local pet_id, cursor, page_size, most_bytes = unpack(ARGV, 1, 4)
local quoted = '"' .. pet_id .. '"'

local reply, bytes = {''}, 0
local function names_it(fields)
  local named = false
  for i = 1, #fields, 2 do
    bytes = bytes + #fields[i + 1]
    if fields[i] == 'payload' then named = named or string.find(fields[i + 1], quoted, 1, true) ~= nil end
    if fields[i] == 'pet_id' then named = named or fields[i + 1] == pet_id end
  end
  return named
end

local from = cursor == '' and '+' or '(' .. cursor
for _ = 1, tonumber(page_size) do
  local entry = redis.call('XREVRANGE', stream, from, '-', 'COUNT', 1)[1]
  if not entry then return reply end
  if names_it(entry[2]) then reply[#reply + 1] = entry end
  if bytes >= tonumber(most_bytes) then
    reply[1] = entry[1]
    return reply
  end
  from = '(' .. entry[1]
end
reply[1] = string.sub(from, 2)
return reply
