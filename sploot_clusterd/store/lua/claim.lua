-- Take over pending entries: ours from before ('own'), those that are due again ('due'), or those that nobody has
-- touched for long ('idle').
-- KEYS  stream, attempts
-- ARGV  group, consumer, kind; abandoned: idle ms after which an entry counts as that; cursor ('' to begin); most:
--       entries to take
-- Reply {next cursor or '' at the end, {id, delivery, real failures, fields}...}; a delivery is 'run', 'alone' (it was
--       delivered twice or more without an outcome: it is to be run by itself) or 'gone' (its payload was deleted).
--       What waits for its due time is left.
local stream, attempts = unpack(KEYS, 1, 2)
local group, consumer, kind, abandoned, cursor, most = unpack(ARGV, 1, 6)
local now = now_ms()
abandoned, most = tonumber(abandoned), tonumber(most)

-- Nothing is put off for more than a minute: what seems to be due later was written before the clock went back.
local function is_due(due)
  return due <= now or due > now + 120000
end

-- The entries to look at: {id, owner, idle, deliveries}, and where to go on.
local function candidates()
  if kind ~= 'due' then
    local from = cursor == '' and '-' or '(' .. cursor
    local page
    if kind == 'own' then
      page = redis.call('XPENDING', stream, group, from, '+', most, consumer)
    else
      page = redis.call('XPENDING', stream, group, 'IDLE', abandoned, from, '+', most)
    end
    return page, #page == most and page[#page][1] or ''
  end
  local scan = redis.call('HSCAN', attempts, cursor == '' and '0' or cursor, 'COUNT', most)
  local page = {}
  for i = 1, #scan[2], 2 do
    local id = scan[2][i]
    local due = parts_of(id) and get_record(attempts, id).due  -- nil: a field that is none of ours
    if due and is_due(due) then
      local entry = pending_entry(stream, group, id)
      if not entry then
        redis.call('HDEL', attempts, id)  -- a leftover of a deleted stream or group
      elseif due > 0 then
        page[#page + 1] = entry
      end
    end
  end
  return page, scan[1] == '0' and '' or scan[1]
end

local function take(entry)
  local id, record = entry[1], get_record(attempts, entry[1])
  if record and not is_due(record.due) then return nil end
  if #redis.call('XRANGE', stream, id, id) == 0 then return {id, 'gone', 0, {}} end
  local delivery = entry[4] - (record and record.seen or 0) >= 2 and 'alone' or 'run'
  if record then
    record.due = 0  -- taken: until its next outcome only its idle time tells whether it is abandoned
    put_record(attempts, id, record)
  end
  local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id)
  return {id, delivery, record and record.attempts or 0, claimed[1][2]}
end

local page, next_cursor = candidates()
local reply = {next_cursor}
for _, entry in ipairs(page) do
  local taken = take(entry)
  if taken then reply[#reply + 1] = taken end
end
return reply
