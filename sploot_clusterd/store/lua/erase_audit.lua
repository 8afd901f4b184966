-- Delete what the audit trail has of an erased pet, some of it: called until there is no more.
-- KEYS  audit, audit_pets
-- ARGV  pet_id, most
-- Reply how many entries were named by the pet, most at most
local audit, audit_pets = unpack(KEYS, 1, 2)
local pet_id, most = unpack(ARGV, 1, 2)

local begin, behind = pet_id .. '\0', pet_id .. '\1'
local found = redis.call('ZRANGE', audit_pets, '[' .. begin, '(' .. behind, 'BYLEX', 'LIMIT', 0, most)
for _, member in ipairs(found) do
  redis.call('XDEL', audit, string.sub(member, #begin + 1))
  redis.call('ZREM', audit_pets, member)
end
return #found
