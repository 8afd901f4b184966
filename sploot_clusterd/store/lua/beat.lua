-- Say that a process is there, and tell which others are.
-- KEYS  members
-- ARGV  member: the process; lives: ms after which one that did not come again is gone
-- Reply the members, this one too
local members = unpack(KEYS, 1, 1)
local member, lives = unpack(ARGV, 1, 2)

local now = now_ms()
redis.call('ZADD', members, now, member)
local alive = {}
for _, each in ipairs(redis.call('ZRANGE', members, 0, -1)) do
  local away = now - tonumber(redis.call('ZSCORE', members, each))
  if away > tonumber(lives) or away < -tonumber(lives) then
    redis.call('ZREM', members, each)
  else
    alive[#alive + 1] = each
  end
end
return alive
