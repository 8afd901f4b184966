-- Take up what a pet wants and is due, until the lease ends: then, without an outcome, it is due again.
-- KEYS  wanted, asked, wants
-- ARGV  pet_id; most: images to take; lease_ms
-- Reply {lease: by which they are known to be ours; {image, ms since it was asked for in vain first (-1: it was not), how
--       often it was taken before without an outcome, how often a job was handed over that was not applied, its trace
--       or ''}...}
local wanted, asked, wants = unpack(KEYS, 1, 3)
local pet_id, most, lease_ms = unpack(ARGV, 1, 3)

redis.call('HLEN', asked)  -- of the right types, or nothing is written
redis.call('ZCARD', wants)
local now = now_ms()
local lease = now + tonumber(lease_ms)
local taken = {string.format('%.0f', lease)}
for _, image in ipairs(redis.call('ZRANGE', wanted, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
  local how = get_asked(asked, image)
  taken[#taken + 1] = {image, how.since > 0 and math.max(0, now - how.since) or -1, how.takes, how.handed, how.trace}
  how.takes = how.takes + 1
  put_asked(asked, image, how)
  redis.call('ZADD', wanted, lease, image)
end
requeue(wants, pet_id, wanted)
-- What is left of it is due when all others that are due have had their turn.
redis.call('ZADD', wants, 'XX', 'GT', now, pet_id)
return taken
