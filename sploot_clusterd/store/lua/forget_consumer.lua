-- Delete a consumer that has nothing pending. Asked and done in one step: deleting one discards what it still holds.
-- KEYS  stream
-- ARGV  group, consumer
-- Reply 1 if it was deleted
local stream = unpack(KEYS, 1, 1)
local group, consumer = unpack(ARGV, 1, 2)

if #redis.call('XPENDING', stream, group, '-', '+', 1, consumer) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer)
return 1
