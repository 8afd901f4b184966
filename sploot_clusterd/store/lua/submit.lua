-- Add jobs to the stream unless it is full.
-- KEYS  1 stream
-- ARGV  1 most unsettled entries the stream may hold; 2.. payloads, in order
-- Reply an array: per payload its entry id, or '' where the stream was full
local room = tonumber(ARGV[1]) - redis.call('XLEN', KEYS[1])
local ids = {}
for i = 2, #ARGV do
  if room > 0 then
    ids[i - 1] = redis.call('XADD', KEYS[1], '*', 'payload', ARGV[i])
    room = room - 1
  else
    ids[i - 1] = ''
  end
end
return ids
