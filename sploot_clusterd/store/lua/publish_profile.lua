-- Make a profile the current one of its model version, unless somebody else was quicker.
-- KEYS  1 profiles, 2 the model version's profiles, 3 images of its sample, 4 slots of its sample
-- ARGV  1 model version, 2 state that the caller has seen ('' if there was none), 3 new generation, 4 '1' if it is
--       settled: nothing will be learned from the sample any more, 5 profile, or '' if the generation stays as it is
-- Reply 'ok'; 'conflict' if the state is another by now, or the generation is there: what albums were computed with
--       is never another thing later
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 'conflict' end
if ARGV[5] ~= '' then
  if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then return 'conflict' end
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[5], digest_field(ARGV[3]), redis.sha1hex(ARGV[5]))
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[4] == '1' and ARGV[3] .. ' settled' or ARGV[3])
if ARGV[4] == '1' then redis.call('UNLINK', KEYS[3], KEYS[4]) end
return 'ok'
