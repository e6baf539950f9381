-- Stores the first version of a sign-up and makes it the client's current one.
-- KEYS: record, current[, memory]
-- ARGV: now, id, record, expires at, former expires at, prefix of records,
--       prefix of channels[, memory expires at, id, fingerprint, outcome]
local now = tonumber(ARGV[1])

local function live(expiry)
  return expiry and tonumber(expiry) > now
end

-- parse returns version, lifecycle, ended at, expires at and data of a record.
local function parse(record)
  local _, last, v, st, e, x = string.find(record, '^(%d+) (%d) (%-?%d+) (%-?%d+) ')
  if not last then
    error('not a record')
  end
  return v, st, e, x, string.sub(record, last + 1)
end

if KEYS[3] then
  local m = redis.call('HMGET', KEYS[3], 'x', 'a', 'f', 'o')
  if live(m[1]) then
    return {'remembered', m[2], m[3], m[4]}
  end
end

local same = redis.call('GET', KEYS[1])
if same then
  local _, _, _, x = parse(same)
  if live(x) then
    return {'exists'}
  end
end

local replaced = ''
local id = redis.call('GET', KEYS[2])
local former = id and redis.call('GET', ARGV[6] .. id)
if former then
  local v, st, _, x, data = parse(former)
  if live(x) and st == '1' then
    return {'completing', id}
  end
  if live(x) and st == '0' then
    local version = string.format('%.0f', tonumber(v) + 1)
    redis.call('SET', ARGV[6] .. id, version .. ' 3 ' .. ARGV[1] .. ' ' .. ARGV[5] .. ' ' .. data)
    redis.call('PEXPIREAT', ARGV[6] .. id, ARGV[5])
    redis.call('PUBLISH', ARGV[7] .. id, version)
    replaced = id
  end
end

redis.call('SET', KEYS[1], ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[2])
redis.call('PEXPIREAT', KEYS[2], ARGV[4])
if KEYS[3] then
  redis.call('HSET', KEYS[3], 'x', ARGV[8], 'a', ARGV[9], 'f', ARGV[10], 'o', ARGV[11])
  redis.call('PEXPIREAT', KEYS[3], ARGV[8])
end
redis.call('PUBLISH', ARGV[7] .. ARGV[2], '1')
return {'created', replaced}
