-- Delete a pet's dead letters, one page of them: called until the cursor is ''. Runs after the erase mark is set, for
-- from then on no new dead letter of the pet's older jobs is written.
-- KEYS  dead_letters
-- ARGV  pet_id, cursor ('' to begin), page_size
-- Reply {next cursor or '' at the end, how many were deleted}
local dead_letters = unpack(KEYS, 1, 1)
local pet_id, cursor, page_size = unpack(ARGV, 1, 3)

local from = cursor == '' and '-' or '(' .. cursor
local deleted, letters, bytes = 0, 0, 0
-- One by one, and of few bytes in all: what is read is copied, payloads too, and holds up every other client.
while letters < tonumber(page_size) and bytes < 4 * 1024 * 1024 do
  local letter = redis.call('XRANGE', dead_letters, from, '+', 'COUNT', 1)[1]
  if not letter then return {'', deleted} end
  local fields = letter[2]
  local ours = false
  for i = 1, #fields, 2 do
    -- A mismatch names two pets, and holds something of either.
    ours = ours or ((fields[i] == 'pet_id' or fields[i] == 'other_pet_id') and fields[i + 1] == pet_id)
    bytes = bytes + #fields[i + 1]
  end
  if ours then deleted = deleted + redis.call('XDEL', dead_letters, letter[1]) end
  letters, cursor, from = letters + 1, letter[1], '(' .. letter[1]
end
return {cursor, deleted}
