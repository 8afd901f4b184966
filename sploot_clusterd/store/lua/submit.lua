-- Add jobs to the stream unless it is full.
-- KEYS  stream
-- ARGV  most: unsettled entries that the stream may hold; the list payloads, in order
-- Reply an array: per payload its entry id, or '' where the stream was full
local stream = unpack(KEYS, 1, 1)
local most = unpack(ARGV, 1, 1)
local payloads = lists_after(1, 1)

local room = tonumber(most) - redis.call('XLEN', stream)
local ids = {}
for i = payloads.from, payloads.to do
  if room > 0 then
    ids[#ids + 1] = redis.call('XADD', stream, '*', 'payload', ARGV[i])
    room = room - 1
  else
    ids[#ids + 1] = ''
  end
end
return ids
