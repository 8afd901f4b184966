-- How pending entries stand, and whose jobs they hold, for those who may have to wait for them. Writes nothing.
-- KEYS  stream, attempts
-- ARGV  group; the lists strange: entries of which it is asked whose they are, too; known
-- Reply {entry, standing, idle ms, pets as [pet...], fields as [field, value, ...]}...; of the first ones, where their
--       payloads are large, and of one at least. How long a strange one has been idle is not said. A standing is 'gone' (it is settled, or its payload was deleted),
--       'failed' (a run of it failed, or its third lone run began), 'put_off' or 'held'.
--       Pets are those that a strange entry's job names, in whatever place: one of them is its own. Fields are given
--       instead where only decoding tells, and of failed ones.
local stream, attempts = unpack(KEYS, 1, 2)
local group = unpack(ARGV, 1, 1)
local strange, known = lists_after(1)
local most_bytes = 4 * 1024 * 1024

local function standing(record)
  if not record then return 'held' end
  if record.attempts > 0 or record.lone > 2 then return 'failed' end
  return record.due > 0 and 'put_off' or 'held'
end

-- JSON without a backslash has no other way to write a pet's id, and no text in it can hold a quotation mark.
local function named_in(payload)
  if string.find(payload, '\\', 1, true) then return nil end
  local pets, at = {}, 1
  while true do
    local _, last = string.find(payload, '"pet_id"', at, true)
    if not last then return pets end
    pets[#pets + 1] = string.match(payload, '^%s*:%s*"([^"]*)"', last + 1)
    at = last + 1
  end
end

local function pets_of(fields)
  local by_name = {}
  for i = 1, #fields, 2 do by_name[fields[i]] = fields[i + 1] end
  if by_name.payload then return named_in(by_name.payload) end
  return {by_name.pet_id}
end

local function look(id, is_strange)
  -- A strange one was pending a moment ago: what was settled since is not in the stream.
  local entry = is_strange and {} or pending_entry(stream, group, id)
  local stored = entry and redis.call('XRANGE', stream, id, id)[1]
  if not stored then return {id, 'gone', 0, {}, {}}, 0 end
  local fields, size, how = stored[2], 0, standing(get_record(attempts, id))
  local idle = entry[3] or 0
  for i = 2, #fields, 2 do size = size + #fields[i] end
  if how == 'failed' then return {id, how, idle, {}, fields}, size end
  if not is_strange then return {id, how, idle, {}, {}}, size end
  local pets = pets_of(fields)
  return {id, how, idle, pets or {}, pets and {} or fields}, size
end

local reply, bytes = {}, 0
for _, list in ipairs({strange, known}) do
  for i = list.from, list.to do
    if bytes >= most_bytes then return reply end
    local found, size = look(ARGV[i], list == strange)
    reply[#reply + 1], bytes = found, bytes + size
  end
end
return reply
