-- Delete a pet's dead letters, one page of them: called until the cursor is ''. Runs after the erase mark is set, for
-- from then on no new dead letter of the pet's older jobs is written.
-- KEYS  1 dead letters
-- ARGV  1 pet id, 2 cursor ('' to begin), 3 page size
-- Reply {next cursor or '' at the end, how many were deleted}
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', ARGV[3])
local deleted = 0
for _, letter in ipairs(page) do
  local fields = letter[2]
  for i = 1, #fields, 2 do
    -- A mismatch names two pets, and holds something of either.
    if (fields[i] == 'pet_id' or fields[i] == 'other_pet_id') and fields[i + 1] == ARGV[1] then
      deleted = deleted + redis.call('XDEL', KEYS[1], letter[1])
    end
  end
end
return {#page == tonumber(ARGV[3]) and page[#page][1] or '', deleted}
