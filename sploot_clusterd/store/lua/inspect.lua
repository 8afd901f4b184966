-- What there is under keys. Writes nothing.
-- KEYS  those to look at
-- ARGV  none
-- Reply an array: per key {its type, 'none' if there is nothing; a stream's last id, else ''}
local found = {}
for n, key in ipairs(KEYS) do
  local last_id, kind = '', redis.call('TYPE', key).ok
  if kind == 'stream' then last_id = last_generated_id(key) end
  found[n] = {kind, last_id}
end
return found
