-- Add entries of another partition here, in their order: each once, whoever does it how often. None is refused for want of
-- room, as they were accepted.
-- KEYS  stream, routed, erased
-- ARGV  source: the field of `routed` with the last entry that came from there; the list entries: for each its id there,
--       its pet, its place in the order, how many fields and values follow, and these
-- Reply how many were added. What is not above the last one was added before. What is not above the pet's DELETE is passed
--       over.
local stream, routed, erased = unpack(KEYS, 1, 3)
local source = unpack(ARGV, 1, 1)
local entries = list_after(1)

redis.call('HLEN', erased)  -- of the right type, or nothing is written
local last, added, at = redis.call('HGET', routed, source) or '0-0', 0, entries.from
while at <= entries.to do
  local origin, pet, place, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  if not at_or_before(origin, last) then
    if not is_erased(erased, pet, place) then
      redis.call('XADD', stream, '*', unpack(ARGV, at + 4, at + 3 + count))
      added = added + 1
    end
    last = origin
  end
  at = at + 4 + count
end
redis.call('HSET', routed, source, last)
return added
