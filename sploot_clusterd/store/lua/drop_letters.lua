-- Delete dead letters for good.
-- KEYS  dead_letters, letter_sizes, letter_pets
-- ARGV  the list ids
-- Reply how many of them there were
local dead_letters, letter_sizes, letter_pets = unpack(KEYS, 1, 3)
local ids = list_after(0)

check_index(dead_letters, letter_sizes, letter_pets)
local dropped = 0
for i = ids.from, ids.to do
  local letter = redis.call('XRANGE', dead_letters, ARGV[i], ARGV[i])[1]
  if letter then dropped = dropped + drop_letter(dead_letters, letter_sizes, letter_pets, letter) end
end
return dropped
