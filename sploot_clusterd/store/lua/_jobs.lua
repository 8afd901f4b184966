-- What became of a pet's jobs: a list of events, 'kind ms job ...' each, the newest last. Kinds are 'q' (it is in the
-- stream), 'r' (a run failed; attempts, when it is due, the error), 'a' (applied; the view's version), 's' (it was applied
-- before) and 'd' (a dead letter; the reason, attempts, the error).
local MOST_EVENTS = 64

-- No job suffers where a key of another type is in the list's place, or our user has not the rights to it: then nobody is
-- told.
local function tell(jobs, life, ...)
  local length = redis.pcall('RPUSH', jobs, ...)
  if type(length) ~= 'number' then return end
  if length > MOST_EVENTS then redis.pcall('LTRIM', jobs, -MOST_EVENTS, -1) end
  redis.pcall('EXPIRE', jobs, life)
end

-- Of a job that is in the stream as `entry`.
local function tell_queued(jobs, life, entry, job)
  tell(jobs, life, 'q ' .. string.match(entry, '^%d+') .. ' ' .. job)
end

