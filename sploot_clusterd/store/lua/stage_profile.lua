-- Write down a generation's profile before any state says that it is there, unless there is one already.
-- KEYS  the model version's profiles
-- ARGV  generation; state that it is to bring; profile; instead_of: digest of one that it may replace, or ''
-- Reply {state, profile} of what is there now: ours, or what another process had begun to publish
local generation, state, profile, instead_of = unpack(ARGV, 1, 4)

local reply
for _, of_model in ipairs(KEYS) do
  local state_field = generation .. ':state'
  local is_there = redis.call('HEXISTS', of_model, generation) == 1
  if not is_there or redis.call('HGET', of_model, digest_field(generation)) == instead_of then
    redis.call('HSET', of_model, generation, profile, digest_field(generation), redis.sha1hex(profile), state_field, state)
  end
  reply = {redis.call('HGET', of_model, state_field) or generation, redis.call('HGET', of_model, generation)}
end
return reply
