-- Delete a stream that can take nothing more, once all its jobs are settled: the next one begins it anew.
-- KEYS  stream
-- ARGV  none
-- Reply 1 if it was deleted
local stream = unpack(KEYS, 1, 1)

if redis.call('XLEN', stream) > 0 or redis.call('EXISTS', stream) == 0 then return 0 end
if last_generated_id(stream) ~= highest_id then return 0 end
return redis.call('UNLINK', stream)
