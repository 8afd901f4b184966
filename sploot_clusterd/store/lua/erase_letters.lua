-- Delete a pet's dead letters, some of them: called until the cursor is ''. Runs after the erase mark is set, for from
-- then on no new dead letter of the pet's older jobs is written. They are found by the index; where that does not hold all
-- letters, the others are gone through, and are in it from then on.
-- KEYS  dead_letters, letter_sizes, letter_pets
-- ARGV  pet_id, cursor ('' to begin), page_size
-- Reply {next cursor or '' at the end, how many were deleted}
local dead_letters, letter_sizes, letter_pets = unpack(KEYS, 1, 3)
local pet_id, cursor, page_size = unpack(ARGV, 1, 3)

local deleted, looked_at, bytes = 0, 0, 0
-- One by one, and of few bytes in all: what is read is copied, payloads too, and holds up every other client.
local function has_time()
  return looked_at < tonumber(page_size) and bytes < 4 * 1024 * 1024
end

local function look_at(letter)
  looked_at = looked_at + 1
  for i = 2, #letter[2], 2 do bytes = bytes + #letter[2][i] end
end

local function drop(letter)
  deleted = deleted + drop_letter(dead_letters, letter_sizes, letter_pets, letter)
end

check_index(dead_letters, letter_sizes, letter_pets)

local begin, behind = pet_id .. '\0', pet_id .. '\1'
local found = redis.call('ZRANGE', letter_pets, '[' .. begin, '(' .. behind, 'BYLEX', 'LIMIT', 0, page_size)
for _, member in ipairs(found) do
  local id = string.sub(member, #begin + 1)
  local letter = parts_of(id) and redis.call('XRANGE', dead_letters, id, id)[1]
  look_at(letter or {id, {}})
  if letter then drop(letter) end
  redis.call('ZREM', letter_pets, member)
  if not has_time() then return {cursor == '' and '0-0' or cursor, deleted} end
end

if is_index_whole(dead_letters, letter_sizes) then return {'', deleted} end
local from = cursor == '' and '-' or '(' .. cursor
while has_time() do
  local letter = redis.call('XRANGE', dead_letters, from, '+', 'COUNT', 1)[1]
  if not letter then
    redis.call('HSET', letter_sizes, 'last', last_generated_id(dead_letters))
    redis.call('HINCRBY', letter_sizes, 'bytes', 0)  -- there, too
    return {'', deleted}
  end
  look_at(letter)
  index_letter(letter_sizes, letter_pets, letter[1], letter[2])
  for _, pet in ipairs(pets_of(letter[2])) do
    if pet == pet_id then drop(letter) end  -- A mismatch names two pets, and holds something of either.
  end
  cursor, from = letter[1], '(' .. letter[1]
end
return {cursor, deleted}
