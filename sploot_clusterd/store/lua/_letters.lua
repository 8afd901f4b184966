-- Put before each script that writes dead letters.
--
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

