-- Write down how pets are placed, unless somebody else did meanwhile.
-- KEYS  the record
-- ARGV  expected: what is there, '' for nothing; new
-- Reply 1 if it is there now
local expected, new = unpack(ARGV, 1, 2)

for _, record in ipairs(KEYS) do
  local found = redis.call('MGET', record)[1] or ''
  if found ~= expected and found ~= new then return 0 end
  redis.call('SET', record, new)
end
return 1
