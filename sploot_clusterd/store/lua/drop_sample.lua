-- Forget a model version of which there is only a sample.
-- KEYS  profiles; then images and slots of the sample
-- ARGV  model_version
-- Reply 1 if it was forgotten; 0 if it has a profile, or is not there
local profiles = unpack(KEYS, 1, 1)
local model_version = unpack(ARGV, 1, 1)

if redis.call('HGET', profiles, model_version) ~= '0' then return 0 end
redis.call('UNLINK', KEYS[2], KEYS[3])
return redis.call('HDEL', profiles, model_version)
