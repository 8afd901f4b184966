-- Put before a script that touches what lies with a pet, where there are several partitions: the last key holds the
-- number of the layout that the partition's pets are placed by, and the last argument is the one that the caller goes by.
if (redis.call('MGET', table.remove(KEYS))[1] or '1') ~= table.remove(ARGV) then
  return redis.error_reply('LAYOUT the pets of this partition are placed by another layout, or in motion')
end

