-- Replaces a record if its version is the one before.
-- KEYS: record, current[, memory]
-- ARGV: now, id, record, expires at, version, channel or '' to keep quiet
--       [, memory expires at, id, fingerprint, outcome]
local held = redis.call('GET', KEYS[1])
if not held then
  return {'gone'}
end
local _, last, v, x = string.find(held, '^(%d+) %d %-?%d+ (%-?%d+) ')
if not last then
  error('not a record')
end
if tonumber(x) <= tonumber(ARGV[1]) then
  return {'gone'}
end
if tonumber(v) + 1 ~= tonumber(ARGV[5]) then
  return {'conflict'}
end

redis.call('SET', KEYS[1], ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
if redis.call('GET', KEYS[2]) == ARGV[2] then
  redis.call('PEXPIREAT', KEYS[2], ARGV[4])
end
if KEYS[3] then
  redis.call('HSET', KEYS[3], 'x', ARGV[7], 'a', ARGV[8], 'f', ARGV[9], 'o', ARGV[10])
  redis.call('PEXPIREAT', KEYS[3], ARGV[7])
end
if ARGV[6] ~= '' then
  redis.call('PUBLISH', ARGV[6], ARGV[5])
end
return {'saved'}
