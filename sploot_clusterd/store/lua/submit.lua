-- Add jobs to the stream unless it is full.
-- KEYS  stream; then, where jobs are told of, the list of each payload's pet
-- ARGV  most: unsettled entries that the stream may hold; jobs_life: of these lists in s, 0 where nothing is told; the list
--       payloads, in order: envelopes of ours, which begin with the job's id
-- Reply an array: per payload its entry id, or '' where the stream was full
local stream = unpack(KEYS, 1, 1)
local most, jobs_life = unpack(ARGV, 1, 2)
local payloads = lists_after(2)
local first_jobs = 2

local room = tonumber(most) - redis.call('XLEN', stream)
local ids = {}
for i = payloads.from, payloads.to do
  if room > 0 then
    ids[#ids + 1] = redis.call('XADD', stream, '*', 'payload', ARGV[i])
    local job = tonumber(jobs_life) > 0 and string.match(ARGV[i], '^{"job_id":"([^"\\]+)"')
    if job then tell_queued(KEYS[first_jobs + i - payloads.from], jobs_life, ids[#ids], job) end
    room = room - 1
  else
    ids[#ids + 1] = ''
  end
end
return ids
