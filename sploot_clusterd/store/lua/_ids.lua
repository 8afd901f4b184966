-- Ids of stream entries, for the scripts that compare them.
--
-- Exact, whatever their length: -1, 0 or 1 as the one is less than, equal to or greater than the other.
local function compare_digits(one, other)
  if #one ~= #other then
    one, other = string.match(one, '^0*(%d*)$'), string.match(other, '^0*(%d*)$')
    if #one ~= #other then return #one < #other and -1 or 1 end
  end
  return one == other and 0 or (one < other and -1 or 1)
end

local largest_part = '18446744073709551615'
local function is_too_large(part)
  return #part >= #largest_part and compare_digits(part, largest_part) > 0
end

-- The two numbers of an id, as digits; nil for anything else.
local function parts_of(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  if not ms or is_too_large(ms) or is_too_large(seq) then return nil end
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

