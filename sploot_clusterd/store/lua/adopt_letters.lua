-- Add dead letters of another partition here, in their order: each once, whoever does it how often. A letter keeps its id
-- where no later one is here.
-- KEYS  dead_letters, letter_sizes, letter_pets, routed
-- ARGV  source: the field of `routed` with the last letter that came from there; the list letters: for each its id there,
--       how many fields and values follow, and these
-- Reply how many were added. What is not above the last one was added before.
local dead_letters, letter_sizes, letter_pets, routed = unpack(KEYS, 1, 4)
local source = unpack(ARGV, 1, 1)
local letters = list_after(1)

check_index(dead_letters, letter_sizes, letter_pets)
local last, added, at = redis.call('HGET', routed, source) or '0-0', 0, letters.from
while at <= letters.to do
  local origin, count = ARGV[at], tonumber(ARGV[at + 1])
  if not at_or_before(origin, last) then
    local was_whole = is_index_whole(dead_letters, letter_sizes)
    local is_later = redis.call('EXISTS', dead_letters) == 0 or not at_or_before(origin, last_generated_id(dead_letters))
    local fields = {unpack(ARGV, at + 2, at + 1 + count)}
    local id = redis.call('XADD', dead_letters, is_later and origin or '*', unpack(fields))
    index_letter(letter_sizes, letter_pets, id, fields)
    redis.call('HSET', letter_sizes, 'last', was_whole and id or '')
    last, added = origin, added + 1
  end
  at = at + 2 + count
end
redis.call('HSET', routed, source, last)
return added
