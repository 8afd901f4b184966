-- Put before every script: what several of them need. Ids are compared digit by digit, and versions stay strings, for a
-- Lua number is a double and rounds beyond 2^53.

-- The lists at the end of ARGV, whose lengths follow the last argument: places in ARGV, {from, to} each.
local function lists_after(last, count)
  local lists, at = {}, last + count + 1
  for i = 1, count do
    local length = tonumber(ARGV[last + i])
    lists[i] = {from = at, to = at + length - 1}
    at = at + length
  end
  return unpack(lists)
end

-- Server time in ms: due times are set and compared by one clock, whatever the hosts' say.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- {id, owner, idle ms, deliveries} of a pending entry, or nil. XACK itself never asks who owns an entry.
local function pending_entry(stream, group, id)
  return redis.call('XPENDING', stream, group, id, id, 1)[1]
end

local function owns(stream, group, consumer, id)
  local entry = pending_entry(stream, group, id)
  return entry ~= nil and entry[2] == consumer
end

-- Exact, whatever their length: -1, 0 or 1 as the one is less than, equal to or greater than the other.
local function compare_digits(one, other)
  one, other = string.match(one, '^0*(%d*)$'), string.match(other, '^0*(%d*)$')
  if #one ~= #other then return #one < #other and -1 or 1 end
  return one == other and 0 or (one < other and -1 or 1)
end

-- The two numbers of an id, as digits; nil for anything else.
local largest_part = '18446744073709551615'
local function parts_of(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  if not ms or compare_digits(ms, largest_part) > 0 or compare_digits(seq, largest_part) > 0 then return nil end
  return ms, seq
end

-- False where one of them is no id.
local function at_or_before(id, mark)
  local ms, seq = parts_of(id)
  local mark_ms, mark_seq = parts_of(mark)
  if not ms or not mark_ms then return false end
  local order = compare_digits(ms, mark_ms)
  return order < 0 or (order == 0 and compare_digits(seq, mark_seq) <= 0)
end

-- Whether a pet ('' for none) was erased after what was accepted as first_id.
local function is_erased(erased, pet_id, first_id)
  local mark = pet_id ~= '' and redis.call('HGET', erased, pet_id)
  return mark and at_or_before(first_id, mark)
end

-- After this one a stream takes nothing more.
local highest_id = largest_part .. '-' .. largest_part

local function last_generated_id(stream)
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
end

-- The record beside the stream: real failures, when it is due again (ms; 0 while it is being run), lone runs begun,
-- and the delivery count when the last outcome was written down: deliveries beyond `seen` ended without one. What cannot
-- be read, nobody of us has written: it counts as nothing, and the next outcome replaces it.
local function get_record(attempts_key, id)
  local text = redis.call('HGET', attempts_key, id)
  if not text then return nil end
  local attempts, due, lone, seen = string.match(text, '^(%d+) (%d+) (%d+) (%d+)$')
  return {
    attempts = tonumber(attempts or 0), due = tonumber(due or 0), lone = tonumber(lone or 0), seen = tonumber(seen or 0)
  }
end

local function put_record(attempts_key, id, r)
  redis.call('HSET', attempts_key, id, string.format('%d %.0f %d %d', r.attempts, r.due, r.lone, r.seen))
end

-- Dead letters are indexed: in `sizes` each one's bytes by its id, their sum as 'bytes', and as 'last' the stream's last id
-- up to which all are in there ('' where that is not known); in `pets` a pet's id with a letter's behind it, to be found
-- by the pet. What is not in there was written by another hand, or a former version.
local function pets_of(fields)
  local pets = {}
  for i = 1, #fields, 2 do
    if (fields[i] == 'pet_id' or fields[i] == 'other_pet_id') and string.match(fields[i + 1], '^[%w._:-]+$') then
      pets[#pets + 1] = fields[i + 1]
    end
  end
  return pets
end

local function index_letter(sizes, pets, id, fields)
  local size = 256  -- roughly what a letter takes beside its values
  for i = 2, #fields, 2 do size = size + #fields[i] end
  if redis.call('HSET', sizes, id, size) == 1 then redis.call('HINCRBY', sizes, 'bytes', size) end
  for _, pet in ipairs(pets_of(fields)) do redis.call('ZADD', pets, 0, pet .. '\0' .. id) end
end

local function drop_letter(dead_letters, sizes, pets, letter)
  local id, size = letter[1], redis.call('HGET', sizes, letter[1])
  if size then
    redis.call('HDEL', sizes, id)
    redis.call('HINCRBY', sizes, 'bytes', -(tonumber(size) or 0))
  end
  for _, pet in ipairs(pets_of(letter[2])) do redis.call('ZREM', pets, pet .. '\0' .. id) end
  return redis.call('XDEL', dead_letters, id)
end

local function indexed_letters(sizes)
  return math.max(redis.call('HLEN', sizes) - 2, 0)  -- without 'bytes' and 'last'
end

-- Of the right types, or nothing is written; and begun anew where it holds what we have not written, or letters that
-- another hand, or a former version, has deleted.
local function check_index(dead_letters, sizes, pets)
  redis.call('ZCARD', pets)
  local bytes = redis.call('HGET', sizes, 'bytes')
  local readable = not bytes or string.match(bytes, '^%d+$')
  if not readable or indexed_letters(sizes) > redis.call('XLEN', dead_letters) then redis.call('UNLINK', sizes, pets) end
end

-- Whether every letter is indexed.
local function is_index_whole(dead_letters, sizes)
  if redis.call('EXISTS', dead_letters) == 0 then return true end
  return redis.call('HGET', sizes, 'last') == last_generated_id(dead_letters)
end

-- A profile's state is its generation, and ' settled' behind it if it is never learned anew.
local function is_settled(state)
  return string.find(state, ' settled', 1, true) ~= nil
end

-- Beside a generation's profile, for a commit to compare without reading the profile.
local function digest_field(generation)
  return generation .. ':sha1'
end

-- Last, always: a script is not rolled back, and what is acknowledged too early is lost.
local function settle(stream, attempts_key, group, id)
  redis.call('HDEL', attempts_key, id)
  redis.call('XACK', stream, group, id)
  redis.call('XDEL', stream, id)
end
