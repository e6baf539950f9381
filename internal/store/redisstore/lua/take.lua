-- Uses a budget once: the generic cell rate algorithm. Returns 0, or the time
-- from which a try can succeed.
-- KEYS: arrival time
-- ARGV: now, burst, milliseconds between uses, milliseconds to keep the arrival
--       time after it has passed
local now, burst, every = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
if arrival < now then
  arrival = now
end
arrival = arrival + every
local open = arrival - burst * every
if open > now then
  return open
end

redis.call('SET', KEYS[1], string.format('%.0f', arrival))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', arrival + tonumber(ARGV[4])))
return 0
