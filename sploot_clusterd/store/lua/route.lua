-- Move entries of the plain stream here, in their order: each once, whoever does it how often.
-- KEYS  stream, routed, origins
-- ARGV  router: its number; most: unsettled entries that the stream may hold; the list entries: for each its id in the
--       plain stream, its pet, how many fields and values follow, and these; of an entry that is gone none
-- Reply how many of them need not be moved any more: the others found no room. -1 for a router that another came after.
--       What is not above the last one was moved before. What is not above the pet's DELETE is passed over.
local stream, routed, origins = unpack(KEYS, 1, 3)
local router, most = unpack(ARGV, 1, 2)
local entries = list_after(2)

if tonumber(redis.call('HGET', routed, 'router') or 0) > tonumber(router) then return -1 end
local erases = redis.call('HLEN', origins) > 0  -- and of the right type, or nothing is written
local last, done, at = redis.call('HGET', routed, 'last') or '0-0', 0, entries.from
local is_new = false  -- and so is what follows
local room = tonumber(most) - redis.call('XLEN', stream)
while at <= entries.to do
  local origin, pet, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  is_new = is_new or not at_or_before(origin, last)
  if is_new then
    if count > 0 and not (erases and is_erased(origins, pet, origin)) then
      if room <= 0 then break end
      redis.call('XADD', stream, '*', unpack(ARGV, at + 3, at + 2 + count))
      room = room - 1
    end
    last = origin
  end
  done, at = done + 1, at + 3 + count
end
redis.call('HSET', routed, 'last', last, 'router', router)
return done
