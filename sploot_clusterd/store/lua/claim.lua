-- Take over pending entries: ours from before ('own'), those that are due again ('due'), or those that nobody has
-- touched for long ('idle').
-- KEYS  stream, attempts
-- ARGV  group, consumer, kind; abandoned: idle ms after which an entry counts as that; cursor ('' to begin); most:
--       entries to take; lives: '1' if these were delivered to this very process, and not to one before it of its name;
--       the list besides: consumers to which theirs are left
-- Reply {next cursor or '' at the end, {id, delivery, real failures, fields, which delivery of it this is}...}; a
--       delivery is 'run', 'alone' (it was delivered twice or more without an outcome: it is to be run by itself) or
--       'gone' (its payload was deleted). What waits for its due time is left.
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer, kind, abandoned, cursor, most, lives = unpack(ARGV, 1, 7)
local besides = list_after(7)
local now = now_ms()
abandoned, most = tonumber(abandoned), tonumber(most)

local left_to = {}
for i = besides.from, besides.to do left_to[ARGV[i]] = true end

-- Nothing is put off for more than a minute: what seems to be due later was written before the clock went back.
local function is_due(due)
  return due <= now or due > now + 120000
end

-- The entries to look at: {id, owner, idle, deliveries}, in their order, and where to go on. A pet's older ones come
-- first, or the others would be put off again.
local function candidates()
  local from, page = cursor == '' and '-' or '(' .. cursor, {}
  if kind == 'own' then
    page = redis.call('XPENDING', stream, group, from, '+', most, consumer)
  elseif kind == 'idle' then
    page = redis.call('XPENDING', stream, group, 'IDLE', abandoned, from, '+', most)
  elseif redis.call('EXISTS', attempts) == 1 then
    page = redis.call('XPENDING', stream, group, from, '+', most)
  end
  return page, #page == most and page[#page][1] or ''
end

local function take(entry)
  local id = entry[1]
  if left_to[entry[2]] then return nil end
  if lives == '1' then forgive(attempts, id, entry, false) end
  local record = get_record(attempts, id)
  if record and not is_due(record.due) then return nil end
  if kind == 'due' and not (record and record.due > 0) then return nil end
  if #redis.call('XRANGE', stream, id, id) == 0 then return {id, 'gone', 0, {}, entry[4] + 1} end
  local delivery = entry[4] - (record and record.seen or 0) >= 2 and 'alone' or 'run'
  if record then
    record.due = 0  -- taken: until its next outcome only its idle time tells whether it is abandoned
    put_record(attempts, id, record)
  end
  local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id)
  return {id, delivery, record and record.attempts or 0, claimed[1][2], entry[4] + 1}
end

local page, next_cursor = candidates()
local reply = {next_cursor}
for _, entry in ipairs(page) do
  local taken = take(entry)
  if taken then reply[#reply + 1] = taken end
end
return reply
