-- The last id that a stream gave while it holds anything. Writes nothing.
-- KEYS  stream
-- ARGV  none
-- Reply the id; '' if the stream is empty, or not there
local stream = unpack(KEYS, 1, 1)

if redis.call('XLEN', stream) == 0 then return '' end
return last_generated_id(stream)
