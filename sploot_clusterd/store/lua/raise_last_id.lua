-- See to it that all entries to come have ids above one that was given elsewhere.
-- KEYS  stream
-- ARGV  least: that id
-- Reply 1 if the stream's last id was not above it
local stream = unpack(KEYS, 1, 1)
local least = unpack(ARGV, 1, 1)

if redis.call('EXISTS', stream) == 1 and at_or_before(least, last_generated_id(stream)) then return 0 end
redis.call('XADD', stream, least, 'place', '')
redis.call('XDEL', stream, least)
return 1
