-- Write down what became of wants that were taken: all of it, with the job that brings the answers, or nothing.
-- KEYS  stream, wanted, asked, wants
-- ARGV  pet_id; lease: that they were taken with; lease_ms: of a new one, where it has to be tried again; handed_ms: after
--       which what was handed over is due again, if the job was not applied; payload of the job, or ''; most_jobs: unsettled entries that the stream may hold; most_wanted: insights that the pet may want
--       before the job is added (0: any number); the lists done: images that are wanted no more; handed: those whose
--       answers are in the job, wanted until it is applied; missing: as image, ms until it is due again, of which nothing
--       is known yet; later: the same, where that is not known
-- Reply {'ok', new lease}; or, with nothing settled, {'lost', those that are still ours...}; {'full', new lease} if the
--       stream has no room, or the pet wants too much. What is due again after `lease_ms` is ours by the new lease.
local stream, wanted, asked, wants = unpack(KEYS, 1, 4)
local pet_id, lease, lease_ms, handed_ms, payload, most_jobs, most_wanted = unpack(ARGV, 1, 7)
local done, handed, missing, later = lists_after(7)

local ours, count = {'lost'}, 0
local function check(list, step)
  for i = list.from, list.to, step do
    count = count + 1
    local score = redis.call('ZSCORE', wanted, ARGV[i])
    if score and tonumber(score) == tonumber(lease) then ours[#ours + 1] = ARGV[i] end
  end
end
check(done, 1)
check(handed, 1)
check(missing, 2)
check(later, 2)
if #ours - 1 < count then return ours end

redis.call('HLEN', asked)  -- of the right types, or nothing is written
redis.call('ZCARD', wants)
local now = now_ms()
local new_lease = string.format('%.0f', now + tonumber(lease_ms))
local wants_much = tonumber(most_wanted) > 0 and redis.call('ZCARD', wanted) > tonumber(most_wanted)
if payload ~= '' and (wants_much or redis.call('XLEN', stream) >= tonumber(most_jobs)) then
  for i = 2, #ours do redis.call('ZADD', wanted, new_lease, ours[i]) end
  return {'full', new_lease}
end

local function due_after(ms, image, how)
  put_asked(asked, image, how)
  redis.call('ZADD', wanted, now + ms, image)
end

for i = done.from, done.to do
  redis.call('ZREM', wanted, ARGV[i])
  redis.call('HDEL', asked, ARGV[i])
end
for i = handed.from, handed.to do
  local how = get_asked(asked, ARGV[i])
  due_after(tonumber(handed_ms), ARGV[i], {since = 0, takes = 0, handed = how.handed + 1, trace = how.trace})
end
for i = missing.from, missing.to, 2 do
  local how = get_asked(asked, ARGV[i])
  local since = how.since > 0 and how.since or now
  due_after(tonumber(ARGV[i + 1]), ARGV[i], {since = since, takes = 0, handed = how.handed, trace = how.trace})
end
for i = later.from, later.to, 2 do
  local how = get_asked(asked, ARGV[i])
  how.takes = math.max(0, how.takes - 1)
  due_after(tonumber(ARGV[i + 1]), ARGV[i], how)
end
requeue(wants, pet_id, wanted)
if payload ~= '' then redis.call('XADD', stream, '*', 'payload', payload) end
return {'ok', new_lease}
