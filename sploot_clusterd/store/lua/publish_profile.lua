-- Make a profile the current one of its model version, unless somebody else was quicker.
-- KEYS  profiles; then the model version's profiles, images of its sample, slots of its sample
-- ARGV  model_version; seen: state that the caller has seen ('' if there was none); generation: the new one; settled: '1'
--       if nothing will be learned from the sample any more; profile, or '' if the generation stays as it is
-- Reply 'ok'; 'conflict' if the state is another by now, or the generation is there: what albums were computed with
--       is never another thing later
local profiles = unpack(KEYS, 1, 1)
local model_version, seen, generation, settled, profile = unpack(ARGV, 1, 5)
local of_model, images, slots = KEYS[2], KEYS[3], KEYS[4]

if (redis.call('HGET', profiles, model_version) or '') ~= seen then return 'conflict' end
if profile ~= '' then
  if redis.call('HEXISTS', of_model, generation) == 1 then return 'conflict' end
  redis.call('HSET', of_model, generation, profile, digest_field(generation), redis.sha1hex(profile))
end
redis.call('HSET', profiles, model_version, settled == '1' and generation .. ' settled' or generation)
if settled == '1' then redis.call('UNLINK', images, slots) end
return 'ok'
