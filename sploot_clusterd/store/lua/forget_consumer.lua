-- Delete a consumer that has nothing pending. Asked and done in one step: deleting one discards what it still holds.
-- KEYS  1 stream
-- ARGV  1 group, 2 consumer
-- Reply 1 if it was deleted
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
