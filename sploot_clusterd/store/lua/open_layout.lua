-- Have a partition go by the layout of another number, by who alone goes by the present one.
-- KEYS  layout
-- ARGV  number
-- Reply 1
local layout = unpack(KEYS, 1, 1)
local number = unpack(ARGV, 1, 1)

redis.call('SET', layout, number)
return 1
