-- Write down what a process goes by, and tell what others do.
-- KEYS  registers: of the stream, of the namespace
-- ARGV  member: the process; document; lives: ms after which one that did not come again is gone
-- Reply per register [member, document, ...] of the others
local member, document, lives = unpack(ARGV, 1, 3)

local now, reply = now_ms(), {}
for n, register in ipairs(KEYS) do
  local stored, others = redis.call('HGETALL', register), {}
  for i = 1, #stored, 2 do
    local at, told = string.match(stored[i + 1], '^(%d+) (.*)$')
    if not at or math.abs(now - tonumber(at)) > tonumber(lives) then
      redis.call('HDEL', register, stored[i])
    elseif stored[i] ~= member then
      others[#others + 1] = stored[i]
      others[#others + 1] = told
    end
  end
  redis.call('HSET', register, member, string.format('%.0f %s', now, document))
  reply[n] = others
end
return reply
