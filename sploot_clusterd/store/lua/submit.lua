-- Add jobs to the stream until it is full.
-- KEYS  stream; then, where jobs are told of, the list of each payload's pet
-- ARGV  most: unsettled entries that the stream may hold; jobs_life: of these lists in s, 0 where nothing is told; the list
--       payloads, in order: envelopes of ours, which begin with the job's id
-- Reply how many were added: the first ones
local stream = unpack(KEYS, 1, 1)
local most, jobs_life = unpack(ARGV, 1, 2)
local payloads = list_after(2)
local first_jobs = 2

local room = tonumber(most) - redis.call('XLEN', stream)
local tells = tonumber(jobs_life) > 0
local added = 0
for i = payloads.from, math.min(payloads.to, payloads.from + room - 1) do
  local entry = redis.call('XADD', stream, '*', 'payload', ARGV[i])
  local job = tells and string.match(ARGV[i], '^{"job_id":"([^"\\]+)"')
  if job then tell_queued(KEYS[first_jobs + added], jobs_life, entry, job) end
  added = added + 1
end
return added
