-- Add a change to the audit trail, and drop the oldest ones beyond its cap.
-- KEYS  audit, audit_pets
-- ARGV  pet_id: whose change it is, or ''; entry: what is told of it, as JSON; most: entries that are kept
-- Reply the entry's id
local audit, audit_pets = unpack(KEYS, 1, 2)
local pet_id, entry, most = unpack(ARGV, 1, 3)

redis.call('ZCARD', audit_pets)  -- of the right type, or nothing is written
local id = redis.call('XADD', audit, '*', 'pet_id', pet_id, 'entry', entry)
if pet_id ~= '' then redis.call('ZADD', audit_pets, 0, pet_id .. '\0' .. id) end
for _ = 1, 100 do  -- where the cap was lowered, the next ones go on
  if redis.call('XLEN', audit) <= tonumber(most) then break end
  local oldest = redis.call('XRANGE', audit, '-', '+', 'COUNT', 1)[1]
  redis.call('ZREM', audit_pets, (oldest[2][2] or '') .. '\0' .. oldest[1])
  redis.call('XDEL', audit, oldest[1])
end
return id
